// Keeps the page fresh: asks for it again when the agent says that it changed,
// or by the clock where the browser cannot hear that, and changes what differs,
// and only that. Plain old JavaScript, for the browsers of laboratory computers.
(function () {
  "use strict";
  if (!window.DOMParser || !window.XMLHttpRequest) { return; }

  var shown = 2000, hidden = 10000, heard = 30000, patience = 6000;
  var missed = 0, live = false, asking = false, again = false, timer = 0;

  function wait() {
    clearTimeout(timer);
    timer = setTimeout(poll, live ? heard : document.hidden ? hidden : shown);
  }

  // listen lets the agent say when the page changed.
  function listen() {
    if (!window.EventSource) { return; }
    var events = new EventSource("/events");
    events.onopen = function () { live = true; wait(); };
    events.onerror = function () { live = false; wait(); };
    events.onmessage = function () {
      if (asking) { again = true; } else { poll(); }
    };
  }

  function poll() {
    var x = new XMLHttpRequest(), over = false;
    clearTimeout(timer);
    asking = true;
    function end(page) {
      if (over) { return; }
      over = true;
      asking = false;
      if (page) { missed = 0; show(page); } else if (++missed >= 2) { lost(); }
      if (again) { again = false; poll(); } else { wait(); }
    }
    try {
      x.open("GET", "/", true);
      x.timeout = patience;
      x.onload = function () {
        var page = x.status === 200 && new DOMParser().parseFromString(x.responseText, "text/html");
        end(page && page.querySelector("h1") ? page : null);
      };
      x.onerror = x.ontimeout = x.onabort = function () { end(null); };
      x.send();
    } catch (e) { end(null); }
  }

  function show(page) {
    if (page.body.getAttribute("data-version") !== document.body.getAttribute("data-version")) {
      location.reload(); // another version of labcourier brings its own style and script
      return;
    }
    if (document.title !== page.title) { document.title = page.title; }
    attributes(document.getElementById("icon"), page.getElementById("icon"));
    patch(document.body, page.body);
  }

  // lost says that the agent itself is gone; what it said last stays, faded.
  function lost() {
    var text = "labcourier does not answer on this computer.";
    if (document.body.className === "bad lost") { return; }
    document.body.className = "bad lost";
    document.title = "Act now: labcourier does not answer";
    document.getElementById("icon").setAttribute("href", "/icon-bad.svg");
    document.querySelector("h1").textContent = text;
    document.querySelector(".headline svg").setAttribute("aria-label", "Act now:");
    document.querySelector("[role=status]").textContent = "Act now. " + text;
    var list = document.querySelector(".advice");
    if (!list) {
      list = document.createElement("ul");
      list.className = "advice";
      document.querySelector(".headline").parentNode.appendChild(list);
    }
    list.innerHTML = "";
    ["Start the labcourier service again, or restart this computer.",
     "Nothing that was acknowledged is lost. What is shown below is from before."].forEach(function (s) {
      var li = document.createElement("li");
      li.textContent = s;
      list.appendChild(li);
    });
  }

  function attributes(old, now) {
    var i, a;
    for (i = old.attributes.length - 1; i >= 0; i--) {
      a = old.attributes[i].name;
      if (!now.hasAttribute(a) && !(a === "open" && old.nodeName === "DETAILS")) { old.removeAttribute(a); }
    }
    for (i = 0; i < now.attributes.length; i++) {
      a = now.attributes[i];
      if (old.getAttribute(a.name) !== a.value) { old.setAttribute(a.name, a.value); }
    }
  }

  function key(n) { return n && n.nodeType === 1 ? n.getAttribute("data-key") : null; }

  // find is the sibling from n on that stands for the same thing as want.
  function find(n, want) {
    for (; n; n = n.nextSibling) {
      if (key(n) === key(want)) { return n; }
    }
    return null;
  }

  // patch makes old like now, keeping every node that can stay.
  function patch(old, now) {
    attributes(old, now);
    var at = old.firstChild, want = now.firstChild, have, next;
    for (; want; want = want.nextSibling) {
      have = key(want) ? find(at, want) : at;
      if (have && have.nodeName === want.nodeName && key(have) === key(want)) {
        if (have !== at) { old.insertBefore(have, at); } else { at = at.nextSibling; }
        if (want.nodeType === 1) { patch(have, want); } else if (have.data !== want.data) { have.data = want.data; }
        continue;
      }
      have = document.importNode(want, true);
      if (key(have)) { have.className += " new"; }
      old.insertBefore(have, at);
    }
    for (; at; at = next) {
      next = at.nextSibling;
      old.removeChild(at);
    }
  }

  listen();
  wait();
}());
