import { GoogleGenAI } from '@google/genai';
import { answerCalls, API_KEY, BASE_URL, runs } from './calls.mjs';

await answerCalls(async (call, view, fetch) => {
  const ai = new GoogleGenAI({
    apiKey: call.key || API_KEY,
    httpOptions: {
      baseUrl: call.base_url || BASE_URL,
      // The SDK insists on a key; a client of another kind may forget it.
      fetch: call.no_key ? (url, init) => (init.headers.delete('x-goog-api-key'), fetch(url, init)) : fetch,
      // attempts counts the first one too
      retryOptions: call.retries ? { attempts: call.retries + 1, initialDelay: 0.1 } : undefined,
    },
  });
  switch (call.do) {
    case 'models':
      for await (const model of await ai.models.list()) view.chunks.push(model);
      return;
    case 'create':
      read(view, await ai.models.generateContent(call.params));
      return;
    case 'stream':
      for await (const chunk of await ai.models.generateContentStream(call.params)) {
        const { sdkHttpResponse, ...said } = chunk;
        view.chunks.push(said);
        read(view, chunk);
      }
      return;
    case 'leave': {
      // The way that the SDK documents for ending a request.
      const leaving = new AbortController();
      const config = { abortSignal: leaving.signal };
      for await (const chunk of await ai.models.generateContentStream({ ...call.params, config })) {
        view.chunks.push(chunk.candidates);
        if (view.chunks.length === 3) break;
      }
      leaving.abort();
      return;
    }
    case 'turn':
    case 'turn stream': {
      const run = runs(call, view);
      const tools = [{ functionDeclarations: [{ name: 'weather', parametersJsonSchema: call.params.schema }] }];
      const chat = ai.chats.create({ model: call.params.model, config: { tools } });
      for (let message = call.params.prompt; message; ) {
        const asked = [];
        view.text = '';
        const answer = call.do === 'turn' ? [await chat.sendMessage({ message })] : await chat.sendMessageStream({ message });
        for await (const chunk of answer) {
          asked.push(...(chunk.functionCalls ?? []));
          view.text += chunk.candidates?.[0]?.content?.parts?.map((part) => part.text ?? '').join('') ?? '';
          view.finish = chunk.candidates?.[0]?.finishReason ?? view.finish;
          view.usage = chunk.usageMetadata ?? view.usage;
        }
        message = asked.length && asked.map(({ id, name, args }) => ({ functionResponse: { id, name, response: { output: run(args) } } }));
      }
      return;
    }
  }
  throw new Error('no such call: ' + call.do);
});

function read(view, answer) {
  const candidate = answer.candidates?.[0];
  const parts = candidate?.content?.parts ?? [];
  view.text = (view.text ?? '') + parts.map((part) => part.text ?? '').join('');
  const tools = parts.filter((part) => part.functionCall).map(({ functionCall }) => ({ name: functionCall.name, arguments: functionCall.args }));
  view.tools = [...(view.tools ?? []), ...tools];
  view.finish = candidate?.finishReason ?? view.finish;
  view.usage = answer.usageMetadata ?? view.usage;
}
