// What goes wrong in a function's code, in the form of Lambda's Node.js runtime.
'use strict';

const util = require('util');

class RuntimeError extends Error {}

/** An error whose type is Runtime.<kind>. */
function runtimeError(kind, message, cause) {
  const error = new RuntimeError(message);
  error.name = `Runtime.${kind}`;
  if (cause && typeof cause.stack === 'string') {
    error.stack = cause.stack; // where the function's code is wrong, not where that was found out
  } else {
    Error.captureStackTrace(error, runtimeError);
  }
  return error;
}

function isErrorLike(value) {
  return Boolean(
    value && typeof value.name === 'string' && value.name && typeof value.message === 'string' && typeof value.stack === 'string',
  );
}

/** The error document for whatever was thrown or given to a callback. */
function describe(error) {
  try {
    if (util.types.isNativeError(error) || isErrorLike(error)) {
      return { errorType: error.name, errorMessage: error.message, trace: String(error.stack).split('\n') };
    }
    return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage:
        'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack',
      trace: [],
    };
  }
}

function open(_key, value) {
  if (!(value instanceof Error)) {
    return value;
  }
  const { name, message, code, stack } = value;
  const shown = { errorType: name, errorMessage: message, code, ...value };
  delete shown.name;
  return typeof stack === 'string' ? { ...shown, stack: stack.split('\n') } : shown;
}

/** For the log, as text: a tab, then the error with every property as JSON. */
function asText(error) {
  const whole = error instanceof Error ? error : new Error(error);
  try {
    return `\t${JSON.stringify(whole, open)}`;
  } catch {
    return `\t${JSON.stringify(describe(whole))}`;
  }
}

module.exports = { asText, describe, runtimeError };
