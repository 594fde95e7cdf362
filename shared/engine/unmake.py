"""Undoing what a run made: its copies are found where no link says which they are, and what stays is said."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from shared.engine.gather import Gathered
from shared.engine.job import Job
from shared.engine.memory import Recalled
from shared.sync.plan import Plan
from shared.sync.records import StoredLink
from shared.sync.report import Outcome, Problem, TenantReport, worst
from shared.sync.rules import Rules
from shared.sync.unmake import edited, in_doubt, is_short


async def presume(job: Job, gathered: Gathered, rules: Rules) -> tuple[Problem, ...]:
    """Remember which cards are copies and which stay, before any goes; a line for each mailbox with doubtful ones."""
    problems: list[Problem] = []
    if job.unmade is None:
        return ()
    for observation in (gathered.hub, *gathered.spokes):
        mailbox = observation.replica.mailbox
        links = await job.state.links(job.tenant.tenant_id, mailbox)
        presumed = job.unmade.presume(observation.items, links, rules)
        if presumed.links:
            await job.state.save_links(job.tenant.tenant_id, mailbox, presumed.links)
        if presumed.left:
            problems.append(in_doubt(observation.replica.name, presumed.left))
    return tuple(problems)


async def silence(job: Job, recalled: Recalled) -> bool:
    """Remember people's own cards that bear no marker as they are, or they would bring back what is unmade.

    Whether there are any: the plan is then to be made anew.
    """
    links: dict[str, list[StoredLink]] = defaultdict(list)
    if job.unmade is None:
        return False
    for one in recalled.plan.scattering.decisions:
        if one.sync_id in job.unmade.versions and not one.version.is_deleted:
            strangers = [card for card in one.cards.values() if not recalled.memory.link(card)]
            for link in job.unmade.own(one.sync_id, strangers):
                links[link.mailbox].append(link)
    for mailbox, theirs in sorted(links.items()):
        await job.state.save_links(job.tenant.tenant_id, mailbox, theirs)
    return bool(links)


def limited(plan: Plan, job: Job) -> tuple[Plan, tuple[Problem, ...]]:
    """The plan about what the job is about; what is unmade and lives again, for somebody speaks for it, is left out."""
    if job.only is None:
        return plan, ()
    unmade = job.unmade.versions.keys() if job.unmade else frozenset()
    alive = sorted(one for one in unmade if one in plan.contacts and not plan.contacts[one].is_deleted)
    return plan.about(job.only - set(alive)), (edited(alive),) if alive else ()


def told(report: TenantReport, problems: Sequence[Problem]) -> TenantReport:
    """The report with these lines; partial if any says that something was not removed."""
    problems = (*report.problems, *problems)
    outcome = worst((report.outcome, Outcome.PARTIAL)) if is_short(problems) else report.outcome
    return replace(report, outcome=outcome, problems=problems)
