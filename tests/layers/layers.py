# SPDX-License-Identifier: Apache-2.0
"""The map of the house: which room may include which door, and which foreign
library is confined to which files. Shared by the tests in this folder."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]

# room -> doors of other rooms it may open (an entry ending in .h: that header only)
ROOMS = {
    "base": [],
    "config": ["base"],
    "proto": ["base"],
    "hook": ["base"],
    "sql": ["base"],
    "records": ["base", "config", "hook/hook.h", "sql"],
    "registrar": ["base", "config", "proto", "sql"],
    "media": ["base", "config"],
    "tas/sip": ["base", "config"],
    "tas/traced": ["base", "config", "tas/sip/trace.h"],
    "tas/call": ["base", "config", "media/media.h", "tas/sip/leg.h", "tas/sip/leg_info.h",
                 "tas/sip/headers.h", "tas/sip/cause_map.h", "tas/sip/trace.h"],
    "tas/device": ["base", "config", "tas/sip/visitor.h", "tas/sip/digest.h",
                   "tas/sip/digest_hash.h"],
    "tas/load": ["base"],
    "tas/service": ["base", "config", "hook/hook.h", "tas/device/device.h", "tas/load/load.h",
                    "media/media.h",
                    "tas/call/call.h", "tas/sip/leg.h", "tas/sip/headers.h",
                    "tas/sip/address.h", "tas/sip/diversion.h",
                    "tas/sip/endpoint.h", "tas/sip/cause_map.h", "tas/sip/watch.h",
                    "tas/sip/digest.h", "tas/sip/binding.h"],
    "tas/vitals": ["base", "config", "registrar/registrar.h", "media/media.h",
                   "tas/service/service.h", "tas/sip/endpoint.h", "tas/sip/sip_loop.h",
                   "tas/sip/own_name.h", "tas/sip/tls_self_call.h"],
    "tas/admin": ["base", "config", "registrar/registrar.h", "media/media.h", "tas/call/call.h",
                  "tas/service/service.h", "tas/device/device.h", "tas/load/load.h",
                  "tas/vitals/vitals.h",
                  "tas/sip/leg.h", "tas/sip/headers.h",
                  "tas/sip/endpoint.h", "tas/sip/sip_loop.h", "tas/sip/cause_map.h",
                  "tas/sip/tls_files.h",
                  "tas/sip/trace.h", "tas/traced/traced.h"],
}

# library -> (how its headers begin, files that may include them besides tests)
FOREIGN = {
    "sofia-sip": (["sofia-sip/"], ["tas/sip/"]),
    "gRPC": (["grpc/"], ["proto/api_client.c", "proto/api_route.c",
                        "proto/api_stream.c", "tools/core/api.c",
                       "tools/core/api_"]),
    "libcurl": (["curl/"], ["proto/api_token.c", "hook/poster.c"]),
    "protobuf-c": (["protobuf-c/"], ["proto/api.h", "proto/message_check.h"]),
    "generated messages": (["wgtwo/", "google/"], ["registrar/upsert.c", "registrar/consent_wire.c",
                                                   "tools/core/api.c", "tools/core/api_consent.c"]),
    "SQLite": (["sqlite3.h"], ["sql/sqlite.h"]),
    "libpq": (["libpq-fe.h"], ["sql/postgres.c"]),
    "libnice": (["nice/", "stun/"], ["media/ice.c", "media/lite.c", "media/server_check.c"]),
    "GLib": (["glib", "gio/"], ["media/ice.c", "media/worker.c", "config/zone.c"]),
    "libsrtp2": (["srtp2/"], ["media/srtp.c", "media/srtp_openssl.c"]),
    "OpenSSL": (["openssl/"], ["media/dtls.c", "media/dtls_algorithms.c", "media/dtls_identity.c", "media/certificate.c", "media/srtp_openssl.c", "media/credentials.c", "media/ice.c",
                               "media/seal.c", "tas/sip/tls_", "tas/sip/digest_hash.c", "proto/pem_check.c",
                               "hook/sign.c", "tools/core/book.c",
                               "tools/core/core.c", "tools/core/pki.c", "tools/core/sbc.c"]),
    "c-ares": (["ares.h"], ["tas/sip/dns.c"]),
    "libsndfile": (["sndfile.h"], ["media/sound_file.c"]),
    "speexdsp": (["speex/"], ["media/sound_file.c"]),
    "libopus": (["opus/"], ["media/ogg_opus.c", "media/voice_opus.c"]),
    "libogg": (["ogg/"], ["media/ogg_opus.c"]),
    "spandsp": (["spandsp"], ["media/voice_g722.c", "media/digit_detector.c"]),
    "libyaml": (["yaml.h"], ["config/tree.c"]),
    "jansson": (["jansson.h"], ["proto/api_token.c", "records/row.", "tas/admin/answer.h", "tas/admin/api.c",
                               "tas/admin/elders.", "tas/admin/explain.", "tas/admin/process.h", "tas/admin/restart.h", "tas/admin/text.h",
                                "tas/service/webhook_answer.c", "tools/"]),
    "libmicrohttpd": (["microhttpd.h"], ["tas/admin/http.c", "tools/core/token.c"]),
}


def tracked(*patterns):
    """Paths git knows (or would add), relative to the root."""
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--", *patterns],
                         cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [p for p in out.splitlines() if (ROOT / p).is_file()]


def room_of(path):
    """The room a source file lives in, or None (tas/main.c, tests, tools)."""
    best = None
    for room in ROOMS:
        if path.startswith(room + "/") and (best is None or len(room) > len(best)):
            best = room
    return best


class Tally:
    """Counts and prints one line a check, then the closing line."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, findings):
        findings = list(findings)
        for finding in findings:
            print(finding)
        print(("ok   " if not findings else "FAIL ") + name)
        if findings:
            self.failed += 1
        else:
            self.passed += 1

    def close(self):
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0
