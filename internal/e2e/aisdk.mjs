// The AI SDK through its providers, as an application uses it: a turn in which the
// model may call a tool, runs by itself until the model has its say.
import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { createXai } from '@ai-sdk/xai';
import { APICallError, generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import { answerCalls, API_KEY, BASE_URL, runs } from './calls.mjs';

const models = {
  openai: (options) => createOpenAI(options),
  'openai.chat': (options) => createOpenAI(options).chat,
  anthropic: (options) => createAnthropic(options),
  google: (options) => createGoogleGenerativeAI({ ...options, baseURL: options.baseURL + 'beta' }),
  xai: (options) => createXai(options),
  'openai-compatible': (options) => createOpenAICompatible({ name: 'faregate', includeUsage: true, ...options }),
};

await answerCalls(async (call, view, fetch) => {
  const { provider, model, prompt, schema } = call.params;
  const options = {
    model: models[provider]({ baseURL: BASE_URL + '/v1', apiKey: call.key || API_KEY, fetch })(model),
    prompt,
    maxRetries: call.retries,
    tools: schema && {
      weather: tool({
        inputSchema: jsonSchema(schema),
        execute: runs(call, view),
      }),
    },
    stopWhen: stepCountIs(5),
  };
  try {
    switch (call.do) {
      case 'turn':
        return read(view, await generateText(options));
      case 'turn stream': {
        const stream = streamText({ ...options, onError: () => {} });
        for await (const part of stream.fullStream) {
          if (part.type === 'text-delta') view.text = (view.text ?? '') + part.text;
          if (part.type === 'error') throw part.error;
        }
        return read(view, { finishReason: await stream.finishReason, totalUsage: await stream.totalUsage });
      }
    }
    throw new Error('no such call: ' + call.do);
  } catch (error) {
    if (APICallError.isInstance(error)) error.status = error.statusCode;
    throw error;
  }
});

function read(view, { text, finishReason, totalUsage }) {
  view.text = text ?? view.text;
  view.finish = finishReason;
  view.usage = totalUsage;
}
