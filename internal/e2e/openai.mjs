import OpenAI from 'openai';
import { answerCalls, API_KEY, BASE_URL, runs } from './calls.mjs';

await answerCalls(async (call, view, fetch) => {
  const client = new OpenAI({
    baseURL: (call.base_url || BASE_URL) + (call.path || '/v1'),
    apiKey: call.key || API_KEY,
    maxRetries: call.retries,
    defaultHeaders: call.no_key ? { Authorization: null } : undefined,
    fetch,
  });
  switch (call.do) {
    case 'models':
      for await (const model of client.models.list()) view.chunks.push(model);
      return;
    case 'create': {
      const { data, request_id } = await client.chat.completions.create(call.params).withResponse();
      view.request_id = request_id;
      view.body = data;
      read(view, data.choices[0].message, data.choices[0].finish_reason);
      view.usage = data.usage;
      return;
    }
    case 'stream': {
      const { data, request_id } = await client.chat.completions.create({ ...call.params, stream: true }).withResponse();
      view.request_id = request_id;
      for await (const chunk of data) {
        view.chunks.push(chunk);
        view.text = (view.text ?? '') + (chunk.choices?.[0]?.delta?.content ?? '');
        view.finish = chunk.choices?.[0]?.finish_reason ?? view.finish;
        view.usage = chunk.usage ?? view.usage;
      }
      return;
    }
    case 'leave':
      // Leaving the loop ends the request.
      for await (const chunk of await client.chat.completions.create({ ...call.params, stream: true })) {
        view.chunks.push(chunk);
        if (view.chunks.length === 3) break;
      }
      return;
    case 'helper': {
      // The SDK puts the pieces of a stream together.
      const stream = client.chat.completions.stream(call.params);
      const { choices, usage } = await stream.finalChatCompletion();
      read(view, choices[0].message, choices[0].finish_reason);
      view.usage = usage;
      return;
    }
    case 'turn':
    case 'turn stream': {
      // The SDK runs the tool and asks again.
      const runner = client.chat.completions.runTools({
        model: call.params.model,
        messages: [{ role: 'user', content: call.params.prompt }],
        stream: call.do === 'turn stream',
        ...(call.do === 'turn stream' && { stream_options: { include_usage: true } }),
        tools: [{ type: 'function', function: { name: 'weather', parameters: call.params.schema, parse: JSON.parse, function: runs(call, view) } }],
      });
      view.text = await runner.finalContent();
      view.finish = (await runner.finalChatCompletion()).choices[0].finish_reason;
      view.usage = await runner.totalUsage();
      return;
    }
    case 'responses turn':
    case 'responses turn stream': {
      const run = runs(call, view);
      const input = [{ role: 'user', content: call.params.prompt }];
      const tools = [{ type: 'function', name: 'weather', parameters: call.params.schema, strict: false }];
      for (;;) {
        const asked = { model: call.params.model, input, tools };
        const answer = await (call.do === 'responses turn' ? client.responses.create(asked) : client.responses.stream(asked).finalResponse());
        input.push(...answer.output);
        const calls = answer.output.filter((item) => item.type === 'function_call');
        if (!calls.length) {
          view.text = answer.output_text;
          view.finish = answer.status;
          view.usage = answer.usage;
          return;
        }
        for (const { call_id, arguments: text } of calls) {
          input.push({ type: 'function_call_output', call_id, output: run(JSON.parse(text)) });
        }
      }
    }
  }
  throw new Error('no such call: ' + call.do);
});

function read(view, message, finish) {
  view.text = message.content ?? '';
  view.finish = finish;
  view.tools = message.tool_calls?.map((tool) => ({ name: tool.function.name, arguments: JSON.parse(tool.function.arguments) }));
}
