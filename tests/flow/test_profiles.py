# SPDX-License-Identifier: Apache-2.0
"""The sample configurations of the three user groups: their own rules, lists and
numbers, with the simulated core and PBX in place of the addresses."""

import datetime
import json
import pathlib
import sys

import yaml

from core import Core, Daemon, expect, headers, run_tests, wait_until

SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "config" / "samples"
CUSTOMER, UNWANTED, NOT_TO_CALL = "+4722000001", "+4722000777", "+4722000666"
TWO_WAY = {"outcome": "answered", "status": 200, "verdict": "two-way", "both_ends_hung_up": True}

core = None  # each profile has one of its own: registrations outlive a daemon


def at(moment, open_now):
    """The windows of a sample moved to this hour, or away from it."""
    shift = 0 if open_now else 5
    begin, end = (moment + datetime.timedelta(hours=shift + h) for h in (-1, 2))
    return f"{begin:%a %H:%M}-{end:%a %H:%M} UTC"


def with_hours(value, open_now):
    """Only the times differ from the sample: the clock cannot be set from outside."""
    if isinstance(value, list):
        return [with_hours(item, open_now) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: at(datetime.datetime.now(datetime.timezone.utc), open_now)
            if key == "time" else with_hours(item, open_now) for key, item in value.items()}


class Profile(Daemon):
    """breakoutd with a sample of config/samples, at a time when it is open or closed."""

    def __init__(self, name, open_now=True):
        global core
        core = Core()
        super().__init__(core)
        sample = yaml.safe_load((SAMPLES / f"{name}.yaml").read_text())
        config = yaml.safe_load(self.config.read_text())
        pbx = config["trunks"][0]
        for key in ("prefixes", "limits", "services", "registrations", "trunks"):
            config.pop(key, None)
            if key in sample:
                config[key] = with_hours(sample[key], open_now)
        for trunk in config.get("trunks", []):
            trunk.pop("trusted", None)
            trunk["uris"] = pbx["uris"]
        self.mail = core.folder / f"mail-{name}"
        self.config.write_text(self.mailboxes(config))
        for path in SAMPLES.glob("*.csv"):
            (core.folder / path.name).write_text(path.read_text())
        self.numbers = [number for item in config["registrations"]
                        for number in item.get("numbers", [item.get("number")])]

    def mailboxes(self, config):
        """Messages go to a folder of the test."""
        def walk(value):
            if isinstance(value, dict):
                if "voicemail" in value:
                    value["voicemail"]["dir"] = str(self.mail)
                for item in value.values():
                    walk(item)
            elif isinstance(value, list):
                for item in value:
                    walk(item)
        walk(config["services"])
        return yaml.safe_dump(config, sort_keys=False)

    def __enter__(self):
        self.start()
        self.wait_registered()
        return self

    def __exit__(self, *_):
        self.close()
        core.close()

    def messages(self):
        return [json.loads(path.read_text()) for path in sorted(self.mail.glob("*/*.json"))]


def desk(number, when, **more):
    core.must("pbx", number=number, when_called=when, **more)


# A business PBX.

def pbx_in_working_hours():
    mobile, other, ingress = "+4799000001", "+4799000002", "+4799000003"
    with Profile("pbx") as tas:
        desk("201", "answer")
        result = core.call(mobile, "201")
        expect(result, **TWO_WAY, answered_by="pbx", legs="12")
        core.phone(CUSTOMER, "answer")
        expect(core.call(mobile, CUSTOMER), **TWO_WAY, answered_by="phone", legs="1234")
        desk(mobile, "answer", ring_ms=400)
        core.phone(mobile, "no-answer")
        expect(core.call(CUSTOMER, mobile), **TWO_WAY, answered_by="pbx")
        desk(other, "no-answer")
        core.phone(other, "answer", ring_ms=400)
        expect(core.call(CUSTOMER, other), **TWO_WAY, answered_by="phone")
        core.phone(ingress, "answer")
        expect(core.call("200", ingress, at="pbx"), **TWO_WAY)
        desk(mobile, "busy")
        core.phone(mobile, "busy")
        expect(core.call(CUSTOMER, mobile, talk_ms=3000), outcome="answered", answered_by="tas")
        message = wait_until(tas.messages, 5, "a message")[0]
        assert mobile in json.dumps(message), message


def pbx_at_night():
    with Profile("pbx", open_now=False):
        core.phone("+4799000001", "answer")
        expect(core.call(CUSTOMER, "+4799000001"), **TWO_WAY, answered_by="phone", legs="1234")


# A call centre.

def shown(result):
    """Who the callee sees."""
    return headers(result, 4, "P-Asserted-Identity")[0].split(":")[1].split("@")[0]


def call_centre_in_its_hours():
    agent = "+4799000001"
    with Profile("call-centre"):
        for number in (CUSTOMER, NOT_TO_CALL, "+4633000001"):
            core.phone(number, "answer")
        expect(core.call(agent, NOT_TO_CALL), outcome="refused", status=403, legs="12")
        first = core.call(agent, CUSTOMER)
        expect(first, **TWO_WAY, legs="1234")
        assert shown(first) in ("+4799000010", "+4799000011"), shown(first)
        assert shown(core.call("+4799000002", CUSTOMER)) == shown(first)
        abroad = core.call(agent, "+4633000001")
        expect(abroad, **TWO_WAY)
        assert shown(abroad) == agent, shown(abroad)
        core.phone(agent, "answer")
        expect(core.call(CUSTOMER, agent), **TWO_WAY, legs="14")


def call_centre_outside_its_hours():
    with Profile("call-centre", open_now=False):
        core.phone(CUSTOMER, "answer")
        expect(core.call("+4799000001", CUSTOMER), outcome="refused", status=403)
        core.phone("112", "answer")
        expect(core.call("+4799000001", "112"), outcome="answered")


# A BYOD appliance.

def byod_in_working_hours():
    person, shop = "+4799000001", "+4799000003"
    with Profile("byod") as tas:
        core.phone(person, "answer")
        expect(core.call(CUSTOMER, person), **TWO_WAY, answered_by="phone", legs="1234")
        expect(core.call(UNWANTED, person), outcome="refused", status=603)
        core.phone(person, "busy")
        expect(core.call(CUSTOMER, person, talk_ms=3000), outcome="answered", answered_by="tas")
        wait_until(tas.messages, 5, "a message")
        for number in ("201", "202"):
            desk(number, "answer")
        answered = {core.call(CUSTOMER, shop)["callee"]["party"] for _ in range(2)}
        assert answered == {"201", "202"}, answered
        for number in ("201", "202"):
            desk(number, "busy")
        core.phone(shop, "answer")
        expect(core.call(CUSTOMER, shop), **TWO_WAY, answered_by="phone")


def byod_at_night():
    person = "+4799000002"
    with Profile("byod", open_now=False) as tas:
        core.phone(person, "answer")
        result = core.call(CUSTOMER, person, talk_ms=3000)
        expect(result, outcome="answered", answered_by="tas", legs="12")
        wait_until(tas.messages, 5, "a message")


class Latest:
    """What run_tests() shows of a failed call."""
    def __getattr__(self, name):
        return getattr(core, name)


sys.exit(1 if run_tests([pbx_in_working_hours, pbx_at_night, call_centre_in_its_hours,
                         call_centre_outside_its_hours, byod_in_working_hours, byod_at_night],
                        Latest()) else 0)
