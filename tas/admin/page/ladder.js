// SPDX-License-Identifier: Apache-2.0
// What was said in a call, as a ladder: a line for each peer and one for us, an arrow for
// each message, which unfolds to its text, and notes between. Texts only ever become text
// nodes.

const LANE = 200; // pixels from one line to the next
const MARGIN = 80; // for the time

function element(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function headerOf(message, name, compact) {
  const head = message.split("\r\n\r\n", 1)[0];
  const line = head.split("\r\n").slice(1).find((each) => {
    const key = each.split(":", 1)[0].trim().toLowerCase();
    return key === name || key === compact;
  });
  return line ? line.slice(line.indexOf(":") + 1).trim() : "";
}

function summary(message) {
  const sdp = message.includes("\r\n\r\nv=0") ? " (SDP)" : "";
  const first = message.split("\r\n", 1)[0];
  if (!first.startsWith("SIP/2.0 ")) return first.split(" ", 1)[0] + sdp;
  return `${first.slice(8)} to ${headerOf(message, "cseq").replace(/^\d+ +/, "")}${sdp}`;
}

// The dialogs in the order of their first word: the first stands left of us, the others right.
function dialogsOf(entries) {
  const dialogs = new Map();
  for (const entry of entries.filter((each) => each.kind === "message")) {
    const id = headerOf(entry.text, "call-id", "i");
    if (!dialogs.has(id))
      dialogs.set(id, { line: dialogs.size ? dialogs.size + 1 : 0,
        peer: `${entry.remote}:${entry.remote_port}/${entry.transport}` });
  }
  return dialogs;
}

const at = (line) => MARGIN + line * LANE;

function messageRow(entry, dialogs, time) {
  const { line } = dialogs.get(headerOf(entry.text, "call-id", "i"));
  const row = element("details", "said"), head = element("summary", "");
  const arrow = element("span", `arrow ${entry.sent === line > 1 ? "to-right" : "to-left"}`,
    summary(entry.text));
  arrow.style.left = `${at(Math.min(line, 1)) + 4}px`;
  arrow.style.width = `${Math.abs(line - 1) * LANE - 8}px`;
  head.append(element("span", "time", time), arrow);
  row.append(head, element("pre", "", entry.text.replaceAll("\r", "")));
  return row;
}

function noteRow(text, time) {
  const row = element("div", "note"), note = element("span", "", text);
  note.style.marginLeft = `${at(1) + 10}px`;
  if (/^(media failed|heard (one-way|no media)|step=.* failed)/.test(text)) note.className = "warn";
  row.append(element("span", "time", time), note);
  return row;
}

// Seconds of RTP that are alike but for a few packets are one row.
function alike(a, b) {
  const [left, right] = [a, b].map((text) => text.split(/(\d+)/));
  return a.startsWith("rtp ") && left.length === right.length && left.every((part, i) =>
    i % 2 ? Math.abs(part - right[i]) <= 3 : part === right[i]);
}

// trace: as /v1/calls/ID/trace has it.
export function drawLadder(trace) {
  const { entries } = trace, dialogs = dialogsOf(entries), ladder = element("div", "ladder");
  const lines = Math.max(2, dialogs.size + 1), begin = entries[0].at;
  const time = (entry) => ((entry.at - begin) / 1000).toFixed(3);
  const heads = element("div", "heads");
  ladder.style.minWidth = `${at(lines - 1) + LANE}px`;
  for (const { line, peer } of [...dialogs.values(), { line: 1, peer: "breakout" }]) {
    const name = element("span", "", peer), lane = element("div", "line");
    name.style.left = lane.style.left = `${at(line)}px`;
    heads.append(name);
    ladder.append(lane);
  }
  ladder.prepend(heads);
  for (let i = 0; i < entries.length; i++) {
    if (entries[i].kind === "message") {
      ladder.append(messageRow(entries[i], dialogs, time(entries[i])));
      continue;
    }
    let last = i;
    while (entries[last + 1]?.kind === "note" && alike(entries[i].text, entries[last + 1].text))
      last++;
    ladder.append(noteRow(entries[i].text + (last > i ? ` (and so until ${time(entries[last])})` : ""),
      time(entries[i])));
    i = last;
  }
  return ladder;
}
