// Shows what goes over a link as it happens. Each event is one line of a
// recording (see drivers/trace): bytes are put together to lines, as the
// command line does it. Plain old JavaScript, for the browsers of laboratory
// computers.
(function () {
  "use strict";
  var log = document.getElementById("link"), state = document.getElementById("state");
  var name = log.getAttribute("data-analyzer");
  if (!window.EventSource || !window.JSON) {
    state.textContent = "This browser cannot hear what goes over a link. labcourier capture " + name + " shows the same in a terminal.";
    return;
  }

  var maxLines = 2000, maxKept = 4000000, longest = 4096, pauseEnds = 500;
  var control = ("NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI " +
    "DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US").split(" ");

  var began = 0, header = "";      // of the recording that is heard
  var open = {};                   // lines that have not ended, by connection and sender
  var ready = [], timer = 0;       // lines that are not shown yet
  var kept = [], size = 0, cut = false; // the recording
  var last = null, paused = false, over = false, heard = false, conns = 1;

  // keep holds a line of the recording, and lets the oldest go beyond a limit.
  function keep(text) {
    kept.push({ header: header, text: text });
    size += text.length;
    if (size <= maxKept && kept.length <= 2 * maxKept / 100) { return; }
    var n = 0;
    while (n < kept.length / 8 || size > maxKept) { size -= kept[n++].text.length; }
    kept.splice(0, n);
    cut = true;
  }

  function hear(e) {
    var x;
    try { x = JSON.parse(e.data); } catch (bad) { return; }
    if (x.labcourier_trace) {
      flushAll();
      header = e.data;
      began = Date.parse(x.began) || Date.now();
      return;
    }
    keep(e.data);
    var at = began + x.t * 1000;
    if (x.conn > 1) { conns = 2; }
    if (x.kind === "data") { data(x, at); } else {
      flushAll();
      line({ at: at, conn: x.conn, kind: x.kind === "gap" ? "gap" : "event", text: words(x) });
    }
    soon();
  }

  // data puts bytes to the line of their sender and ends it where a line ends.
  function data(x, at) {
    var key = x.conn + x.from, k, i, c, p;
    for (k in open) {
      if (open[k].conn === x.conn && k !== key || at - open[k].last > pauseEnds) { flush(k); }
    }
    for (i = 0; i < x.data.length; i++) {
      c = x.data.charCodeAt(i);
      p = open[key];
      if (p && p.text.charCodeAt(p.text.length - 1) === 13 && c !== 10 && !inFrame(p.text)) { flush(key); p = null; }
      if (!p) { p = open[key] = { at: at, conn: x.conn, kind: x.from === "host" ? "to" : "from", text: "" }; }
      p.text += x.data.charAt(i);
      p.last = at;
      p.heard = Date.now();
      if (c === 4 || c === 5 || c === 6 || c === 21 || c === 10 || p.text.length >= longest) { flush(key); }
    }
  }

  // inFrame reports whether a frame of LIS01 has begun whose ETX or ETB is to come:
  // a CR in it ends a record, and not the frame.
  function inFrame(text) { return text.charCodeAt(0) === 2 && !/[\x03\x17]/.test(text); }

  function flush(key) { var p = open[key]; delete open[key]; line(p); }
  function flushAll() { for (var k in open) { flush(k); } }

  function words(x) {
    var note = x.note || "";
    switch (x.kind) {
    case "open": return "Connection opened" + (note ? ": " + note : "");
    case "end": return "The " + x.from + " sends no more";
    case "reset": return "The " + x.from + " broke the connection off";
    case "close": return "Connection closed";
    case "gap": return "Missing here: " + (x.lost ? x.lost + " bytes" : "something") + (note ? ", " + note : "");
    }
    return note || x.kind;
  }

  function line(l) {
    ready.push(l);
    if (ready.length > maxLines) { ready.shift(); }
  }

  function soon() { if (!timer) { timer = setTimeout(show, 150); } }

  // show writes what is ready; many lines at once, so that the page stays quick.
  function show() {
    var k, i, waits = false, now = Date.now(), part, end;
    timer = 0;
    for (k in open) {
      if (now - open[k].heard >= pauseEnds) { flush(k); } else { waits = true; }
    }
    if (waits) { soon(); }
    if (paused) { tell(); return; }
    if (!ready.length) { return; }
    end = log.scrollTop + log.clientHeight >= log.scrollHeight - 40;
    part = document.createDocumentFragment();
    for (i = 0; i < ready.length; i++) { part.appendChild(row(ready[i])); }
    ready = [];
    log.appendChild(part);
    while (log.childNodes.length > maxLines) { log.removeChild(log.firstChild); }
    if (end) { log.scrollTop = log.scrollHeight; }
  }

  function element(kind, name, text) {
    var e = document.createElement(kind);
    e.className = name;
    if (text) { e.textContent = text; }
    return e;
  }

  function row(l) {
    var r = element("div", l.kind), said = element("span", "said"), who = "";
    r.appendChild(element("span", "at", clock(l.at) + since(l.at) + " "));
    if (l.kind === "from") { who = "analyzer \u2192"; }
    if (l.kind === "to") { who = "\u2190 labcourier"; }
    if (conns > 1 && l.conn) { who += " " + l.conn; }
    r.appendChild(element("span", "by", who + " "));
    if (l.kind === "from" || l.kind === "to") {
      bytes(said, l.text);
      r.appendChild(said);
      r.appendChild(element("span", "size", " " + frame(l.text) + l.text.length + (l.text.length === 1 ? " byte" : " bytes")));
    } else {
      said.textContent = l.text;
      r.appendChild(said);
    }
    return r;
  }

  // frame names what begins as a frame of LIS01 or a block of MLLP does.
  function frame(text) {
    if (/^\x02[0-7]/.test(text)) { return "frame " + text.charAt(1) + ", "; }
    return text.charAt(0) === "\x0b" ? "block begins, " : text.charAt(0) === "\x1c" ? "block ends, " : "";
  }

  function bytes(into, text) {
    var plain = "", i, c;
    for (i = 0; i < text.length; i++) {
      c = text.charCodeAt(i);
      if (c >= 32 && c < 127) { plain += text.charAt(i); continue; }
      if (plain) { into.appendChild(document.createTextNode(plain)); plain = ""; }
      into.appendChild(element("span", "control", c < 32 ? control[c] : c.toString(16).toUpperCase()));
    }
    if (plain) { into.appendChild(document.createTextNode(plain)); }
  }

  function digits(n, width) { n = String(n); while (n.length < width) { n = "0" + n; } return n; }

  function clock(at) {
    var d = new Date(at);
    return digits(d.getHours(), 2) + ":" + digits(d.getMinutes(), 2) + ":" + digits(d.getSeconds(), 2) + "." + digits(d.getMilliseconds(), 3);
  }

  function since(at) {
    var ms = last === null ? -1 : at - last;
    last = at;
    if (ms < 0) { return ""; }
    if (ms < 1000) { return " +" + Math.round(ms) + " ms"; }
    return ms < 100000 ? " +" + (ms / 1000).toFixed(1) + " s" : " +" + Math.round(ms / 60000) + " min";
  }

  function tell() {
    var text = "Watching. Lines appear as they are sent.";
    if (over) { text = "The sign-in has ended. Load this page again to sign in and go on."; }
    else if (!heard) { text = "Not connected: the agent does not answer, the sign-in has ended, or too many are watching. Trying again; loading this page again says which."; }
    else if (paused) {
      text = "Paused" + (ready.length ? "; " + (ready.length === maxLines ? "more than " : "") + ready.length + (ready.length === 1 ? " line waits." : " lines wait.") : ".");
    }
    if (state.textContent !== text) { state.textContent = text; }
  }

  document.getElementById("pause").onclick = function () {
    paused = !paused;
    this.setAttribute("aria-pressed", paused ? "true" : "false");
    tell();
    show();
  };
  document.getElementById("clear").onclick = function () {
    kept = [];
    size = 0;
    cut = false;
    ready = [];
    open = {};
    last = null;
    log.textContent = "";
    tell();
  };
  document.getElementById("save").onclick = function () {
    var text = "", of = "", i, a, d = new Date(), file, blob;
    for (i = 0; i < kept.length; i++) {
      if (kept[i].header !== of) { text += (of = kept[i].header) + "\n"; }
      if (i === 0 && cut) { text += '{"t":0.000000,"kind":"gap","note":"older lines were let go by the page"}\n'; }
      text += kept[i].text + "\n";
    }
    file = name.replace(/[^A-Za-z0-9_.-]/g, "_") + "-" + d.getFullYear() + digits(d.getMonth() + 1, 2) + digits(d.getDate(), 2) +
      "-" + digits(d.getHours(), 2) + digits(d.getMinutes(), 2) + digits(d.getSeconds(), 2) + ".trace";
    blob = new Blob([text || header + "\n"], { type: "application/octet-stream" });
    if (navigator.msSaveBlob) { navigator.msSaveBlob(blob, file); return; }
    a = document.createElement("a");
    a.href = URL.createObjectURL(blob);
    a.download = file;
    document.body.appendChild(a);
    a.click();
    document.body.removeChild(a);
    setTimeout(function () { URL.revokeObjectURL(a.href); }, 10000);
  };

  function listen() {
    var events = new EventSource("/links/" + encodeURIComponent(name) + "/events");
    events.onopen = function () { heard = true; tell(); };
    events.onmessage = hear;
    events.addEventListener("over", function () { over = true; events.close(); tell(); });
    events.onerror = function () {
      heard = false;
      tell();
      if (events.readyState === 2) { setTimeout(listen, 3000); } // refused: a browser does not ask again by itself
    };
  }

  listen();
}());
