"use strict";
/*
 * What every client of an API needs: requests by fetch, signed with AWS's Signature Version 4 where that is asked for.
 * Runs in browsers and in Node.js from version 18.
 */
(function (root) {
  const encoder = new TextEncoder();

  function encodePart(text) {
    return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => "%" + sign.charCodeAt(0).toString(16).toUpperCase());
  }

  function encodePath(path) {
    return path.split("/").map(encodePart).join("/");
  }

  function hex(buffer) {
    return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  async function digest(text) {
    return hex(await globalThis.crypto.subtle.digest("SHA-256", encoder.encode(text)));
  }

  async function hmac(key, text) {
    const material = typeof key === "string" ? encoder.encode(key) : key;
    const imported = await globalThis.crypto.subtle.importKey("raw", material, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    return globalThis.crypto.subtle.sign("HMAC", imported, encoder.encode(text));
  }

  async function sign(config, method, url, headers, body) {
    const stamp = new Date().toISOString().replace(/[:-]|\.\d{3}/g, "");
    const day = stamp.slice(0, 8);
    const signed = Object.assign({}, headers, { host: url.host, "x-amz-date": stamp });
    if (config.sessionToken) signed["x-amz-security-token"] = config.sessionToken;
    const lower = {};
    for (const name of Object.keys(signed)) lower[name.toLowerCase()] = String(signed[name]).trim().replace(/ +/g, " ");
    const names = Object.keys(lower).sort();
    const query = Array.from(url.searchParams, ([name, value]) => [encodePart(name), encodePart(value)])
      .sort((one, other) => (one[0] + "=" + one[1] < other[0] + "=" + other[1] ? -1 : 1))
      .map((pair) => pair.join("="))
      .join("&");
    const canonical = [
      method,
      encodePath(url.pathname),
      query,
      names.map((name) => name + ":" + lower[name] + "\n").join(""),
      names.join(";"),
      await digest(body),
    ].join("\n");
    const scope = [day, config.region, "execute-api", "aws4_request"].join("/");
    const text = ["AWS4-HMAC-SHA256", stamp, scope, await digest(canonical)].join("\n");
    let key = "AWS4" + config.secretKey;
    for (const part of [day, config.region, "execute-api", "aws4_request"]) key = await hmac(key, part);
    const signature = hex(await hmac(key, text));
    delete signed.host;
    signed.Authorization =
      "AWS4-HMAC-SHA256 Credential=" + config.accessKey + "/" + scope + ", SignedHeaders=" + names.join(";") + ", Signature=" + signature;
    return signed;
  }

  async function send(config, operation, params, body, additionalParams) {
    params = params || {};
    const more = additionalParams || {};
    let path = operation.path;
    const query = new URLSearchParams();
    const headers = Object.assign({}, more.headers);
    for (const parameter of operation.parameters) {
      const value = params[parameter.name];
      if (value === undefined || value === null) {
        if (parameter.required) throw new Error(operation.name + " needs the parameter " + parameter.name);
        continue;
      }
      if (parameter.place === "path") {
        const greedy = "{" + parameter.name + "+}";
        path = path.replace(greedy, () => encodePath(String(value))).replace("{" + parameter.name + "}", () => encodePart(String(value)));
      } else if (parameter.place === "querystring") {
        for (const each of Array.isArray(value) ? value : [value]) query.append(parameter.name, each);
      } else {
        headers[parameter.name] = String(value);
      }
    }
    for (const name of Object.keys(more.queryParams || {})) query.append(name, more.queryParams[name]);
    const method = operation.verb === "ANY" ? more.method || (body === undefined || body === null ? "GET" : "POST") : operation.verb;
    const hasBody = body !== undefined && body !== null && body !== "" && method !== "GET" && method !== "HEAD";
    const text = !hasBody ? "" : typeof body === "string" ? body : JSON.stringify(body);
    const names = Object.keys(headers).map((name) => name.toLowerCase());
    if (hasBody && !names.includes("content-type")) headers["Content-Type"] = config.defaultContentType || operation.contentType;
    if (!names.includes("accept")) headers.Accept = config.defaultAcceptType || "application/json";
    if (config.apiKey && !names.includes("x-api-key")) headers["x-api-key"] = config.apiKey;
    const search = query.toString().replace(/\+/g, "%20");
    const url = new URL(config.invokeUrl.replace(/\/$/, "") + path + (search ? "?" + search : ""));
    const signs = config.accessKey && config.secretKey && operation.authorization === "AWS_IAM";
    const sent = signs ? await sign(config, method, url, headers, text) : headers;
    const answer = await fetch(url, { method: method, headers: sent, body: hasBody ? text : undefined });
    return read(answer);
  }

  async function read(answer) {
    const text = await answer.text();
    let data = text;
    try {
      data = text ? JSON.parse(text) : undefined;
    } catch (notJson) {
      data = text;
    }
    const result = { status: answer.status, statusText: answer.statusText, headers: Object.fromEntries(answer.headers), data: data };
    if (answer.ok) return result;
    const error = new Error("The API answered " + answer.status);
    error.response = result;
    error.status = answer.status;
    error.data = data;
    throw error;
  }

  const requests = { send: send };
  if (typeof module !== "undefined" && module.exports) module.exports = requests;
  else root.apiRequests = requests;
})(typeof globalThis !== "undefined" ? globalThis : this);
