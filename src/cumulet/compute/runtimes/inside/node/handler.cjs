// Finding a function's handler from its configured name.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html
'use strict';

const fs = require('fs');
const { createRequire } = require('module');
const path = require('path');
const { pathToFileURL } = require('url');
const { runtimeError } = require('./errors.cjs');
const { isStreaming } = require('./streaming.cjs');

const requireUser = createRequire('/var/runtime/index.mjs');
const NO_CALLBACKS =
  'AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to modify this ' +
  'function to use a supported handler signature to use Node.js 24 or later. For more information see ' +
  'https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.';
const MAJOR = Number(process.versions.node.split('.')[0]);
const TYPED = MAJOR >= 24;
const PROMISES_ONLY = MAJOR >= 24;

/** The function that `dir/module.a.b` names below `root`. Throws what its module throws, or a Runtime error. */
async function load(root, name) {
  if (name.includes('..')) {
    throw runtimeError(
      'MalformedHandlerName',
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const base = path.basename(name);
  const folder = name.slice(0, name.length - base.length);
  const dot = base.indexOf('.');
  if (dot < 0) {
    throw runtimeError('MalformedHandlerName', 'Bad handler');
  }
  const loaded = await loadModule(root, folder, base.slice(0, dot));
  const handler = base
    .slice(dot + 1)
    .split('.')
    .reduce((object, key) => object && object[key], loaded);
  if (!handler) {
    throw runtimeError('HandlerNotFound', `${name} is undefined or not exported`);
  }
  if (typeof handler !== 'function') {
    throw runtimeError('HandlerNotFound', `${name} is not a function`);
  }
  return handler;
}

/** The same, refused where it is of a kind that this version has no place for. */
async function loadChecked(root, name) {
  const handler = await load(root, name);
  if (PROMISES_ONLY && handler.length >= 3 && !isStreaming(handler)) {
    throw runtimeError('CallbackHandlerDeprecated', NO_CALLBACKS);
  }
  return handler;
}

async function loadModule(root, folder, module) {
  try {
    return await load_(path.resolve(root, folder, module), root, module);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw runtimeError('UserCodeSyntaxError', String(error), error);
    }
    if (error?.code === 'MODULE_NOT_FOUND') {
      throw runtimeError('ImportModuleError', String(error));
    }
    throw error;
  }
}

function load_(file, root, module) {
  const modules = inModulePackage(path.dirname(file));
  const kinds = [['', false], ['.js', modules], ['.mjs', true], ['.cjs', false]];
  if (TYPED) {
    kinds.push(['.ts', modules], ['.mts', true], ['.cts', false]);
  }
  for (const [extension, isModule] of kinds) {
    const candidate = file + extension;
    if (isFile(candidate)) {
      return isModule ? import(pathToFileURL(candidate).href) : requireUser(candidate);
    }
  }
  return requireUser(requireUser.resolve(module, { paths: [root, path.dirname(file)] }));
}

function isFile(candidate) {
  return fs.statSync(candidate, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** Whether the nearest package.json says that .js files are ES modules. */
function inModulePackage(folder) {
  if (folder.endsWith('/node_modules')) {
    return false;
  }
  const description = path.join(folder, 'package.json');
  if (fs.existsSync(description)) {
    try {
      return JSON.parse(fs.readFileSync(description, 'utf8'))?.type === 'module';
    } catch (error) {
      console.warn(`${description} cannot be read, it will be ignored for ES module detection purposes.`, error);
      return false;
    }
  }
  return folder === '/' ? false : inModulePackage(path.dirname(folder));
}

module.exports = { PROMISES_ONLY, loadChecked };
