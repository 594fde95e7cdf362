// Checks queries with the parser and binder that the Azure portal uses: node check.cjs <json of {tables, queries}>.
// Tables are {name: "column:type, ..."}, queries {name: text}; prints [{query, at, message}].
const fs = require("fs");
const path = require("path");
const vm = require("vm");

const folder = path.dirname(require.resolve("@kusto/language-service-next/package.json"));
for (const file of ["bridge.min.js", "Kusto.Language.Bridge.min.js"]) {
  vm.runInThisContext(fs.readFileSync(path.join(folder, file), "utf8"), file);
}
const { KustoCode, GlobalState, Symbols } = Kusto.Language;

function database(tables) {
  const symbols = Object.entries(tables).map(([name, columns]) => Symbols.TableSymbol.From(`(${columns})`).WithName(name));
  return GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor("workspace", symbols));
}

function* complaints(name, text, globals) {
  const found = Bridge.getEnumerator(KustoCode.ParseAndAnalyze(text, globals).GetDiagnostics());
  while (found.moveNext()) {
    yield { query: name, at: found.Current.Start, message: found.Current.Message };
  }
}

const { tables, queries } = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const globals = database(tables);
const all = Object.entries(queries).flatMap(([name, text]) => [...complaints(name, text, globals)]);
process.stdout.write(JSON.stringify(all));
