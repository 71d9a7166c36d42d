// SPDX-License-Identifier: Apache-2.0
// The operator's page: asks the API every two seconds and shows what it says.
// Texts of peers only ever become text nodes.

import { drawLadder } from "./ladder.js";

const EVERY_MS = 2000;
const STATES = ["active", "new", "pending", "backoff", "refused", "withdrawing", "withheld"];
const MARGIN_LOW_S = 600;
const SPARKS = 60;

const $ = (id) => document.getElementById(id);
const open = new Set(); // ids of calls that are unfolded
let token = sessionStorage.getItem("token") ?? "";
let before = null; // {at, total} of the calls counter
const rates = [];
let traced = { id: "", entries: 0 }; // the call whose ladder is shown

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function show(id, text, className = "") {
  const at = $(id);
  at.textContent = text;
  at.classList.remove("good", "warn", "bad");
  if (className) at.classList.add(className);
}

function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} days`;
}

async function get(path, as = "json") {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(path, { headers, cache: "no-store" });
  if (answer.status === 401) throw Object.assign(new Error("token"), { token: true });
  if (!answer.ok && answer.status !== 404)
    throw new Error((await answer.json().catch(() => ({}))).error ?? `HTTP ${answer.status}`);
  return as === "json" ? answer.json() : answer.text();
}

// ---- what is shown ----

function showStatus(status) {
  $("domain").textContent = status.domain;
  $("about").textContent =
    `version ${status.version}, configuration ${status.config}, up ${span(status.uptime_s)}`;
  if (status.draining) show("health", "draining", "warn");
  else if (status.health?.sick) show("health", `sick: ${status.health.why}`, "bad");
  else if (status.sbc_ok === false) show("health", "the core's SBC does not answer", "bad");
  else if (status.api_up === false) show("health", "the core's API does not work", "warn");
  else show("health", "ready", "good");
  show("calls-now", String(status.calls));
  show("legs-now", `${status.legs} legs`);
  const facts = [["SBC", status.sbc_ok], ["API", status.api_up], ["token", status.token_ok]];
  $("core").replaceChildren(...facts.map(([name, fine]) =>
    element("li", `${name}: ${fine === null || fine === undefined ? "not asked yet" : fine ? "ok" : "down"}`,
      fine === false ? "bad" : fine ? "good" : "")));
  showRegistrations(status);
  showTenants(status.tenants ?? []);
}

// One core goes without saying.
function showTenants(tenants) {
  $("tenants-part").hidden = tenants.length < 2;
  $("tenants").tBodies[0].replaceChildren(...tenants.map((tenant) => {
    const counts = tenant.registrations ?? {}, row = element("tr");
    const total = Object.values(counts).reduce((sum, n) => sum + n, 0);
    const active = counts.active ?? 0;
    const [api, kind] = tenant.api_up === null ? ["not asked yet", ""]
      : tenant.api_up ? ["answers", "good"] : [tenant.down ? "down" : "does not answer", "bad"];
    row.append(element("td", tenant.leaving ? `${tenant.name} (leaving)` : tenant.name),
      element("td", api, kind),
      element("td", tenant.token_ok ? "ok" : "missing", tenant.token_ok ? "good" : "bad"),
      element("td", `${active} of ${total}`, active === total ? "right" : "right warn"),
      element("td", active ? span(tenant.margin_s) : "-", "right"),
      element("td", `${tenant.rate}/s`, "right"));
    return row;
  }));
}

function showRegistrations(status) {
  const counts = status.registrations ?? {};
  const total = Object.values(counts).reduce((sum, n) => sum + n, 0);
  show("reg-active", String(counts.active ?? 0), counts.active === total ? "good" : "warn");
  const sources = Object.entries(status.sources ?? {}).filter(([, count]) => count);
  show("reg-total", sources.length > 1
    ? `of ${total}: ${sources.map(([name, count]) => `${name.replaceAll("_", " ")} ${count}`).join(", ")}`
    : `of ${total}`);
  const margin = status.first_expiry_s;
  show("margin", !counts.active ? "-" : margin < 0 ? `${span(-margin)} ago` : span(margin),
    !counts.active ? "" : margin < MARGIN_LOW_S ? "bad" : "good");
  const names = Object.keys(counts).sort((a, b) => STATES.indexOf(a) - STATES.indexOf(b));
  const kind = (name) => (STATES.includes(name) ? `s-${name}` : "s-other");
  $("reg-bar").replaceChildren(...names.filter((n) => counts[n]).map((name) => {
    const part = element("span", "", kind(name));
    part.style.flexGrow = counts[name];
    return part;
  }));
  $("reg-bar").setAttribute("aria-label", names.map((n) => `${n} ${counts[n]}`).join(", "));
  $("reg-legend").replaceChildren(...names.map((name) => {
    const item = element("li");
    item.append(element("span", "", `swatch ${kind(name)}`), `${name} ${counts[name]}`);
    return item;
  }));
}

function showRate(text) {
  const total = text.split("\n")
    .filter((line) => /^breakout_calls_total[{ ]/.test(line))
    .reduce((sum, line) => sum + Number(line.split(" ").pop()), 0);
  const now = { at: performance.now(), total };
  if (before && now.at > before.at)
    rates.push(Math.max(0, (now.total - before.total) * 60000 / (now.at - before.at)));
  before = now;
  if (rates.length > SPARKS) rates.shift();
  if (!rates.length) return;
  const recent = rates.slice(-5);
  show("call-rate", String(Math.round(recent.reduce((a, b) => a + b, 0) / recent.length)));
  const top = Math.max(1, ...rates);
  $("spark-line").setAttribute("points", rates.map((rate, i) =>
    `${(i * 120 / (SPARKS - 1)).toFixed(1)},${(23 - rate / top * 22).toFixed(1)}`).join(" "));
}

function describe(pairs) {
  const list = element("dl");
  for (const [name, value] of pairs)
    if (value !== undefined && value !== "" && value !== null)
      list.append(element("dt", name), element("dd", String(value)));
  return list;
}

function receiptText(receipt) {
  if (!receipt) return "";
  const parts = [receipt.codec, receipt.profile, receipt.remote && `to ${receipt.remote}`,
    `in ${receipt.packets_in}`, `out ${receipt.packets_out}`, `lost ${receipt.lost}`,
    `dropped ${receipt.dropped}`, `ICE ${receipt.ice ? "ok" : "no"}`,
    `DTLS ${receipt.dtls ? "ok" : "no"}`];
  return parts.filter(Boolean).join(", ");
}

function mediaWord(call) {
  if (!call.media) return [call.bypass ? `passed through: ${call.bypass}` : "", ""];
  if (call.verdict) return [call.verdict, call.verdict === "ok" ? "good" : "warn"];
  const heard = (side) => side && side.packets_in > 0;
  if (call.state !== "TALKING") return ["", ""];
  if (heard(call.a) && heard(call.b)) return ["both ways", "good"];
  return [heard(call.a) ? "from A only" : heard(call.b) ? "from B only" : "none yet", "warn"];
}

function unfold(call) {
  if (!open.delete(call.id)) open.add(call.id);
  refresh();
}

function callRows(call) {
  const row = element("tr", "", "call");
  const [media, kind] = mediaWord(call);
  row.tabIndex = 0;
  row.setAttribute("aria-expanded", String(open.has(call.id)));
  row.append(...[call.state, call.direction, call.from, call.to, call.service, call.step]
    .map((text) => element("td", text)));
  row.append(element("td", media, kind), element("td", span(call.age_ms / 1000), "right"));
  row.addEventListener("click", () => unfold(call));
  row.addEventListener("keydown", (event) => event.key === "Enter" && unfold(call));
  if (!open.has(call.id)) return [row];
  const more = element("tr", "", "more"), cell = element("td");
  cell.colSpan = 8;
  cell.append(describe([["id", call.id], ["registered number", call.number],
    ["tenant", call.tenant], ["route type", call.route_type], ["Call-ID A", call.call_id_a], ["Call-ID B", call.call_id_b],
    ["Session-ID", call.session_id], ["talking for", call.talk_ms && span(call.talk_ms / 1000)],
    ["media A", receiptText(call.a)], ["media B", receiptText(call.b)]]));
  const said = element("button", "What was said");
  said.addEventListener("click", () => showTrace(call.id));
  cell.append(said);
  more.append(cell);
  return [row, more];
}

// ---- what was said ----

// Drawn again only when there is more; messages that are unfolded stay so.
function drawTrace(trace, sameCall) {
  const unfolded = sameCall ? [...$("ladder").querySelectorAll("details")].map((one) => one.open) : [];
  $("ladder").replaceChildren(...(trace.error ? [] : [drawLadder(trace)]));
  $("ladder").querySelectorAll("details").forEach((one, i) => { one.open = unfolded[i] ?? false; });
}

async function showTrace(id) {
  const path = `v1/calls/${encodeURIComponent(id)}/trace`;
  try {
    const trace = await get(path);
    if (traced.id === id && traced.entries === trace.entries?.length) return;
    drawTrace(trace, traced.id === id);
    $("trace-id").value = id;
    traced = { id, entries: trace.entries?.length ?? 0 };
    $("trace-about").textContent = trace.error ?? `${traced.entries} entries from ${
      new Date(trace.entries[0].at).toLocaleString()} on${trace.in_full ? ", kept in full" : ""}`;
  } catch (error) {
    show("health", `no answer: ${error.message}`, "bad");
  }
}

function showCalls(calls) {
  $("no-calls").hidden = calls.length > 0;
  $("calls").hidden = calls.length === 0;
  const listed = calls.slice(0, 200);
  $("calls").tBodies[0].replaceChildren(...listed.flatMap(callRows));
  if (calls.length > listed.length) {
    const row = element("tr"), cell = element("td", `and ${calls.length - listed.length} more`);
    cell.colSpan = 8;
    row.append(cell);
    $("calls").tBodies[0].append(row);
  }
}

function showTrunks(trunks) {
  $("no-trunks").hidden = trunks.length > 0;
  $("trunks").hidden = trunks.length === 0;
  $("trunks").tBodies[0].replaceChildren(...trunks.map((line) => {
    const row = element("tr");
    row.append(element("td", line.trunk), element("td", line.address),
      element("td", line.state, line.state === "up" ? "good" : line.state === "down" ? "bad" : ""),
      element("td", span(line.since_s)),
      element("td", line.last_status ? String(line.last_status) : line.last_failure),
      element("td", String(line.calls), "right"), element("td", String(line.failures), "right"),
      element("td", String(line.calls_now), "right"));
    return row;
  }));
}

// ---- asking ----

function askForToken(reason) {
  $("login").hidden = false;
  $("main").hidden = true;
  $("login-error").textContent = reason;
  show("health", "token needed", "warn");
}

async function refresh() {
  try {
    const [status, calls, trunks, metrics] = await Promise.all([get("v1/status"), get("v1/calls"),
      get("v1/trunks"), get("metrics", "text")]);
    $("login").hidden = true;
    $("main").hidden = false;
    showStatus(status);
    showCalls(calls.calls);
    showTrunks(trunks.trunks);
    if (calls.calls.some((call) => call.id === traced.id)) await showTrace(traced.id);
    showRate(metrics);
  } catch (error) {
    if (error.token) askForToken(token ? "This token is not known." : "");
    else show("health", `no answer: ${error.message}`, "bad");
  }
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  sessionStorage.setItem("token", token);
  refresh();
});

$("lookup").addEventListener("submit", async (event) => {
  event.preventDefault();
  const number = $("number").value.trim();
  if (!number) return;
  try {
    const reg = await get(`v1/registrations/${encodeURIComponent(number)}`);
    const shown = describe(!reg.number ? [["", reg.error]] : [["number", reg.number],
      ["tenant", reg.tenant === "default" ? "" : reg.tenant], ["route type", reg.route_type],
      ["source", reg.source], ["state", reg.state], ["expires in", span(reg.expires_s)],
      ["next try in", span(reg.next_s)], ["failures", reg.failures], ["last error", reg.error]]);
    $("reg").replaceChildren(...shown.childNodes);
    $("reg").hidden = false;
  } catch (error) {
    show("health", `no answer: ${error.message}`, "bad");
  }
});

$("trace").addEventListener("submit", (event) => {
  event.preventDefault();
  const id = $("trace-id").value.trim();
  traced = { id: "", entries: 0 };
  if (id) showTrace(id);
});

async function live() {
  if (!document.hidden) await refresh();
  setTimeout(live, EVERY_MS);
}
live();
