"""The Functions host's half of the conversation with the worker package that Azure runs (`azure-functions-runtime`)."""
