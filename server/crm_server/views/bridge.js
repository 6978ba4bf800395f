"use strict";
// The page's side of MCP Apps (SEP-1865): JSON-RPC 2.0 with the host, by postMessage.
//
// Bridge.connect({ input, result, problem, context }) shakes hands and then calls
//   input(arguments)    the call's arguments, before its result
//   result(structured)  the structured result, an object
//   problem(sentence)   there is no result to draw, and why
//   context(changed)    theme, locale or the like is known or has changed; Bridge.context has all of it
const Bridge = (() => {
  const PROTOCOL_VERSION = "2026-01-26";
  const METHOD_NOT_FOUND = -32601;
  const waiting = new Map();
  let lastId = 0;
  let page = null;

  const bridge = { context: {}, capabilities: {}, connect, openLink };

  async function connect(handlers) {
    page = handlers;
    window.addEventListener("message", (event) => {
      // Only the host speaks to us; a frame beside us could post messages as well.
      if (event.source === window.parent && isObject(event.data)) receive(event.data);
    });
    const about = document.querySelector('meta[name="application"]');
    try {
      const answer = await request("ui/initialize", {
        protocolVersion: PROTOCOL_VERSION,
        appInfo: { name: `dynamics-crm-${about.content}`, version: about.dataset.version },
        appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
      });
      bridge.capabilities = isObject(answer.hostCapabilities) ? answer.hostCapabilities : {};
      takeContext(answer.hostContext);
    } catch {
      page.problem("The host did not let this view start. The answer stands in the conversation as text.");
      return;
    }
    notify("ui/notifications/initialized", {});
    reportSize();
  }

  /** Asks the host to open an address, and tells whether it did. */
  async function openLink(url) {
    try {
      const answer = await request("ui/open-link", { url });
      return answer.isError !== true;
    } catch {
      return false;
    }
  }

  function request(method, params) {
    const id = ++lastId;
    send({ id, method, params });
    return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  }

  function notify(method, params) {
    send({ method, params });
  }

  function send(message) {
    // A sandboxed page cannot know its host's origin. What is sent holds sizes and links that a person chose.
    window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  }

  function receive(message) {
    if (typeof message.method !== "string") settle(message);
    else if (message.id === undefined) notified(message.method, isObject(message.params) ? message.params : {});
    else answer(message);
  }

  function settle(message) {
    const asked = waiting.get(message.id);
    if (!asked) return;
    waiting.delete(message.id);
    if (message.error) asked.reject(new Error("refused"));
    else asked.resolve(isObject(message.result) ? message.result : {});
  }

  function answer({ id, method }) {
    if (method === "ping" || method === "ui/resource-teardown") send({ id, result: {} });
    else send({ id, error: { code: METHOD_NOT_FOUND, message: `This view does not answer ${method}` } });
  }

  function notified(method, params) {
    switch (method) {
      case "ui/notifications/tool-input":
        draw(() => page.input(isObject(params.arguments) ? params.arguments : {}));
        break;
      case "ui/notifications/tool-result":
        draw(() => finished(params));
        break;
      case "ui/notifications/tool-cancelled":
        page.problem("The call was cancelled, so there is nothing to draw.");
        break;
      case "ui/notifications/host-context-changed":
        takeContext(params);
        break;
    }
  }

  function takeContext(changed) {
    if (!isObject(changed)) return;
    Object.assign(bridge.context, changed);
    draw(() => page.context(changed));
  }

  function finished(result) {
    if (result.isError === true) return page.problem(errorSentence(result));
    const structured = structuredOf(result);
    if (structured) return page.result(structured);
    return page.problem("This answer has no data to draw. It stands in the conversation as text.");
  }

  // Some hosts pass on only the text, which is the same as JSON.
  function structuredOf(result) {
    return isObject(result.structuredContent) ? result.structuredContent : parsed(textOf(result));
  }

  function errorSentence(result) {
    const text = textOf(result);
    const message = parsed(text)?.error?.message;
    return (typeof message === "string" && message) || text || "The call failed and did not say why.";
  }

  function textOf(result) {
    const parts = Array.isArray(result.content) ? result.content : [];
    return parts.filter((part) => typeof part?.text === "string").map((part) => part.text).join("\n");
  }

  function parsed(text) {
    try {
      const value = JSON.parse(text);
      return isObject(value) ? value : null;
    } catch {
      return null;
    }
  }

  // Whatever an answer holds, a person sees a sentence rather than half a page.
  function draw(work) {
    try {
      work();
    } catch {
      page.problem("This answer could not be drawn. It stands in the conversation as text.");
    }
  }

  function reportSize() {
    let told = "";
    const report = () => {
      const box = document.body.getBoundingClientRect();
      const size = { width: Math.ceil(box.width), height: Math.ceil(box.height) };
      if (`${size.width} ${size.height}` === told) return;
      told = `${size.width} ${size.height}`;
      notify("ui/notifications/size-changed", size);
    };
    new ResizeObserver(() => requestAnimationFrame(report)).observe(document.body);
  }

  function isObject(value) {
    return typeof value === "object" && value !== null && !Array.isArray(value);
  }

  return bridge;
})();
