import Anthropic from '@anthropic-ai/sdk';
import { answerCalls, API_KEY, BASE_URL, runs } from './calls.mjs';

await answerCalls(async (call, view, fetch) => {
  const client = new Anthropic({
    baseURL: call.base_url || BASE_URL,
    apiKey: call.key || API_KEY,
    maxRetries: call.retries,
    defaultHeaders: { ...call.header, ...(call.no_key ? { Authorization: null } : {}) },
    fetch,
  });
  switch (call.do) {
    case 'models':
      for await (const model of client.models.list()) view.chunks.push(model);
      return;
    case 'create': {
      const { data, request_id } = await client.messages.create(call.params).withResponse();
      view.request_id = request_id;
      read(view, data);
      return;
    }
    case 'stream': {
      const { data, request_id } = await client.messages.create({ ...call.params, stream: true }).withResponse();
      view.request_id = request_id;
      for await (const event of data) {
        view.chunks.push(event);
        view.text = (view.text ?? '') + (event.delta?.text ?? '');
        view.finish = event.delta?.stop_reason ?? view.finish;
      }
      return;
    }
    case 'leave':
      // Leaving the loop ends the request. The third word is the sixth event.
      for await (const event of await client.messages.create({ ...call.params, stream: true })) {
        view.chunks.push(event);
        if (view.chunks.length === 6) break;
      }
      return;
    case 'helper': {
      const stream = client.messages.stream(call.params);
      read(view, await stream.finalMessage());
      view.request_id = stream.request_id;
      return;
    }
    case 'turn':
    case 'turn stream': {
      // The SDK runs the tool and asks again, as /v1/messages?beta=true.
      const runner = client.beta.messages.toolRunner({
        model: call.params.model,
        max_tokens: 2000,
        messages: [{ role: 'user', content: call.params.prompt }],
        stream: call.do === 'turn stream',
        tools: [{ type: 'custom', name: 'weather', input_schema: call.params.schema, run: runs(call, view) }],
      });
      const { content, stop_reason, usage } = await runner.runUntilDone();
      view.text = content.map((block) => block.text ?? '').join('');
      view.finish = stop_reason;
      view.usage = usage;
      return;
    }
  }
  throw new Error('no such call: ' + call.do);
});

function read(view, message) {
  view.body = message;
  view.text = message.content.map((block) => block.text ?? '').join('');
  view.tools = message.content.filter((block) => block.type === 'tool_use').map(({ name, input }) => ({ name, arguments: input }));
  view.finish = message.stop_reason;
  view.usage = message.usage;
}
