// A page, and the server-sent events that feed it: one function, streamed through its URL.

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Lift-off</title>
<style>body { font: 4rem system-ui; display: grid; place-items: center; height: 90vh; margin: 0 }</style>
<output id="count">…</output>
<script>
  const source = new EventSource('events?from=5');
  source.onmessage = (event) => { document.getElementById('count').textContent = JSON.parse(event.data).text; };
  source.addEventListener('end', () => source.close());
</script>
</html>
`;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function countDown(stream, from, every) {
  for (let left = from; left > 0; left -= 1) {
    stream.write(`data: ${JSON.stringify({ text: String(left) })}\n\n`);
    await pause(every);
  }
  stream.write(`data: ${JSON.stringify({ text: 'Lift-off!' })}\n\n`);
  stream.write('event: end\ndata: {}\n\n');
}

function respond(stream, statusCode, type) {
  const headers = { 'Content-Type': type, 'Cache-Control': 'no-store' };
  return awslambda.HttpResponseStream.from(stream, { statusCode, headers });
}

export const handler = awslambda.streamifyResponse(async (event, stream) => {
  const asked = event.queryStringParameters ?? {};
  if (event.rawPath === '/') {
    respond(stream, 200, 'text/html; charset=utf-8').end(page);
  } else if (event.rawPath === '/events') {
    const events = respond(stream, 200, 'text/event-stream');
    await countDown(events, Math.min(Number(asked.from) || 5, 60), Math.min(Number(asked.every) || 1000, 5000));
    events.end();
  } else {
    respond(stream, 404, 'text/plain').end('There is nothing here.\n');
  }
});
