"""What works, and what is to be done about the rest? All checks over one snapshot, in the order that a person reads."""

from __future__ import annotations

from appliance.care import machine_checks, robot_checks, service_checks
from appliance.care.finding import Diagnosis
from appliance.care.snapshot import Snapshot


def diagnose(seen: Snapshot) -> Diagnosis:
    """Judge everything. Pure: the same snapshot gives the same diagnosis."""
    is_real = seen.settings.is_real
    findings = (
        *robot_checks.settings(seen.settings),
        *robot_checks.robot(seen.robot, is_real=is_real),
        *robot_checks.twin(seen.database),
        *robot_checks.camera(seen.camera),
        *machine_checks.real_time(seen.real_time, is_real=is_real),
        *service_checks.engine(seen.engine),
        *service_checks.limits(seen.proof),
        *service_checks.database(seen.database),
        *service_checks.services(seen.services),
        *machine_checks.storage(seen.storage),
        *machine_checks.clock(seen.clock),
        *machine_checks.power(seen.power),
        *machine_checks.network(seen.network, seen.clock.now_s, appliance_runs=seen.robot.runs),
        *service_checks.rights(seen.rights),
    )
    return Diagnosis.of(findings, seen.clock.now_s)
