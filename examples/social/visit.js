// A visit by the client that GetSdk generates.
// Usage: node examples/social/visit.js build/social/apiGateway-js-sdk NAME
"use strict";
const path = require("node:path");

const [folder, name] = process.argv.slice(2);
const { newClient } = require(path.resolve(folder, "apigClient.js"));

async function main() {
  const api = newClient();
  const me = { name, password: "correct horse" };
  await api.register({}, me);
  const { token } = (await api.login({}, me)).data;
  const signed = { headers: { Authorization: `Bearer ${token}` } };

  const { post } = (await api.createPost({}, { text: `Hello, I am ${name}.` }, signed)).data;
  await api.createComment({ post }, { text: "My first comment." }, signed);
  await api.likePost({ post }, {}, signed);
  const [newest] = (await api.listPosts({})).data.posts;
  console.log(`${newest.author}: ${newest.text} (${newest.comments} comment, ${newest.likes} like)`);

  // What is refused is a rejected promise, with the status and what the API says.
  const { status, data } = await api.createPost({}, { text: "" }, signed).catch((error) => error);
  console.log(`${status}: ${data.rules}`);
}

main();
