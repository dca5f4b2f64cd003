// npm's official OpenAI client against a server: node openai.mjs URL MODEL IMAGE. Prints what it got as JSON; NodeClientTests compares it.
import { readFileSync } from 'node:fs';
import OpenAI from 'openai';

const [url, model, image] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'secret', maxRetries: 0 });
const messages = [{
  role: 'user',
  content: [
    { type: 'image_url', image_url: { url: `data:image/png;base64,${readFileSync(image).toString('base64')}`, detail: 'auto' } },
    { type: 'text', text: 'What do you see?' },
  ],
}];
const how = { model, messages, temperature: 0, max_completion_tokens: 12 };

const chat = await client.chat.completions.create({ ...how, logprobs: true, top_logprobs: 2 });
let streamed = '';
let usage = null;
for await (const chunk of await client.chat.completions.create({ ...how, stream: true, stream_options: { include_usage: true } })) {
  streamed += chunk.choices[0]?.delta?.content ?? '';
  usage = chunk.usage ?? usage;
}

const schema = { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'], additionalProperties: false };
const json = await client.chat.completions.create({
  ...how, max_completion_tokens: 40, response_format: { type: 'json_schema', json_schema: { name: 'reply', strict: true, schema } },
});
const bare = await client.completions.create({ model, prompt: 'Once', max_tokens: 5, temperature: 0 });
const models = (await client.models.list()).data.map(one => one.id);
const errors = [];
for (const wrong of [{ model: 'none' }, { tools: [{ type: 'function', function: { name: 'f' } }] }]) {
  try {
    await client.chat.completions.create({ ...how, ...wrong });
  } catch (e) {
    errors.push([e.status, e.code, e.param]);
  }
}

console.log(JSON.stringify({
  text: chat.choices[0].message.content, logprobs: chat.choices[0].logprobs.content.length, requestId: chat._request_id, streamed,
  tokens: usage.completion_tokens, json: JSON.parse(json.choices[0].message.content), bare: bare.choices[0].text, models, errors,
}));
