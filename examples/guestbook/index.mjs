// A guestbook: an ordinary Node.js server. `node index.mjs` runs it as it is, and so does a web function.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';

const [host, port] = (process.env.AWS_LAMBDA_HTTP_ENDPOINT ?? '127.0.0.1:3000').split(':');
const page = await readFile(new URL('page.html', import.meta.url), 'utf8');
const entries = []; // of this environment: a real guestbook would keep them in a table
const readers = new Set();

function escape(text) {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

async function bodyOf(request) {
  let text = '';
  for await (const piece of request) {
    text += piece;
  }
  return new URLSearchParams(text);
}

async function sign(request, response) {
  const form = await bodyOf(request);
  const entry = { name: escape(form.get('name') || 'somebody'), text: escape(form.get('text') ?? '') };
  entries.push(entry);
  console.log('signed by', entry.name);
  for (const reader of readers) {
    reader.write(`data: ${JSON.stringify(entry)}\n\n`);
  }
  response.writeHead(303, { Location: '/' }).end();
}

/** Server-sent events: what others write is on the page when they do. */
function follow(response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  response.write(': hello\n\n');
  readers.add(response);
  response.on('close', () => readers.delete(response));
}

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost');
  if (request.method === 'POST' && pathname === '/sign') {
    sign(request, response).catch(() => response.writeHead(400).end());
  } else if (pathname === '/events') {
    follow(response);
  } else if (pathname === '/') {
    const list = entries.map(({ name, text }) => `<li><b>${name}</b> ${text}</li>`).join('');
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(page.replace('<!--entries-->', list));
  } else {
    response.writeHead(404, { 'Content-Type': 'text/plain' }).end('There is no such page.\n');
  }
});

server.listen(Number(port), host, () => console.log(`listening on ${host}:${port}`));
process.on('SIGTERM', () => process.exit());
