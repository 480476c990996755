// The console that functions write to, in Lambda's text or JSON format.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html
'use strict';

const fs = require('fs');
const util = require('util');
const { asText } = require('./errors.cjs');

const JOINED = '\x1e'; // stands for a line's end within one message; the platform puts it back
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const METHODS = { trace: 'TRACE', debug: 'DEBUG', info: 'INFO', log: 'INFO', warn: 'WARN', error: 'ERROR', fatal: 'FATAL' };
const pause = new Int32Array(new SharedArrayBuffer(4));

const log = { requestId: undefined, tenantId: undefined, json: false, current: () => log }; // `current`: whose line it is

/** Write one message that may have several lines. Waits while the platform is slow: nothing is lost. */
function write(text) {
  let rest = Buffer.from(`${text.replaceAll('\n', JOINED)}\n`);
  while (rest.length) {
    try {
      rest = rest.subarray(fs.writeSync(1, rest));
    } catch (error) {
      if (error.code !== 'EAGAIN') {
        return; // the function closed it
      }
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

function asProperties(_key, value) {
  if (!(value instanceof Error)) {
    return value;
  }
  const stackTrace = typeof value.stack === 'string' ? value.stack.split('\n') : value.stack;
  return { errorType: value.constructor?.name ?? 'UnknownError', errorMessage: value.message, stackTrace, ...value };
}

function jsonLine(level, parts) {
  const { requestId, tenantId, fields } = log.current();
  const line = { timestamp: new Date().toISOString(), level, requestId, tenantId, ...fields };
  if (parts.length === 1) {
    line.message = parts[0];
    try {
      return JSON.stringify(line, asProperties);
    } catch {
      line.message = util.format(parts[0]);
      return JSON.stringify(line);
    }
  }
  line.message = util.format(...parts);
  const error = parts.find((part) => part instanceof Error);
  return JSON.stringify(error ? { ...line, ...asProperties('', error) } : line);
}

function textLine(level, parts) {
  return `${new Date().toISOString()}\t${log.current().requestId}\t${level}\t${util.format(...parts)}`;
}

/** Replace the console's methods, as the function's logging is configured. */
function patch() {
  log.json = process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON';
  const least = Math.max(0, LEVELS.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase()));
  for (const [method, level] of Object.entries(METHODS)) {
    const shown = level === 'FATAL' || LEVELS.indexOf(level) >= least;
    console[method] = shown ? (...parts) => write((log.json ? jsonLine : textLine)(level, parts)) : () => {};
  }
}

/** What the runtime itself says of an error. */
function logError(what, error) {
  if (log.json) {
    console.error(error instanceof Error ? error : new Error(error));
  } else {
    console.error(what, asText(error));
  }
}

module.exports = { log, logError, patch };
