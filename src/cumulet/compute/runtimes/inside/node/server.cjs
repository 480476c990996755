// Loaded before a server of the user's own: its console writes JSON, and knows whose request it was.
'use strict';

const { AsyncLocalStorage } = require('async_hooks');
const http = require('http');
const { log, patch } = require('./console.cjs');

const region = process.env.AWS_REGION;
const requests = new AsyncLocalStorage();
const outside = { fields: { region } };

log.current = () => requests.getStore() ?? outside;
patch();

const emit = http.Server.prototype.emit;
http.Server.prototype.emit = function emitFor(event, ...parts) {
  if (event !== 'request') {
    return emit.call(this, event, ...parts);
  }
  const { headers } = parts[0];
  const fields = { endpointName: headers['lambda-web-endpoint-name'], region };
  const owner = { requestId: headers['lambda-web-request-id'], fields };
  return requests.run(owner, () => emit.call(this, event, ...parts));
};
