package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/template"
)

// showCall makes the call and shows what it cost. It fails unless the client's
// view, the usage record and the balance agree to the last nano-dollar.
func showCall(ctx context.Context, screen io.Writer, s *server, c *customer, models modelNames) error {
	if c.created {
		fmt.Fprintf(screen, "\nCreated the account %s with $%s of credit, and a key for it.\n", username, credit)
	}
	before, err := s.commands.balance(ctx, c.accountID)
	if err != nil {
		return err
	}
	fmt.Fprintf(screen, "\n%s (asking %s)\n\n  ", question, models.openai)
	answer, err := streamChat(ctx, screen, s.address, c.secret, models.openai)
	fmt.Fprint(screen, "\n\n")
	if err != nil {
		return err
	}
	record, err := s.commands.record(ctx, answer.requestID)
	if err != nil {
		return err
	}
	after, err := s.commands.balance(ctx, c.accountID)
	if err != nil {
		return err
	}
	fmt.Fprintf(screen, "  tokens   %d in, %d out (%s by %s, in %d ms)\n", record.Usage.InputTotal, record.Usage.OutputTotal,
		record.Basis, record.Provider, record.DurationMS)
	fmt.Fprintf(screen, "  price    $%s\n", record.Cost)
	fmt.Fprintf(screen, "  balance  $%s before, $%s after\n", before, after)
	fmt.Fprintf(screen, "  request  %s\n", answer.requestID)

	switch {
	case answer.text == "":
		return errors.New("the answer was empty")
	case record.Basis != "measured" || record.Cost <= 0:
		return fmt.Errorf("the call was %s at $%s, not measured at a price", record.Basis, record.Cost)
	case record.Usage.InputTotal != answer.inputTokens || record.Usage.OutputTotal != answer.outputTokens:
		return fmt.Errorf("the answer reported %d and %d tokens, the record says otherwise", answer.inputTokens, answer.outputTokens)
	case before-after != record.Cost:
		return fmt.Errorf("the balance fell by $%s, not by the price", before-after)
	}
	return nil
}

var howTo = template.Must(template.New("").Parse(`
Address  {{.Address}}
{{if .Created}}Key      {{.Secret}}
         shown once: the gateway keeps only a hash. The demo keeps it in {{.KeyPath}} for its next run.
{{else}}Key      in {{.KeyPath}} since the first run
{{end}}
Try it from another terminal, in this directory:

export KEY=$(cat {{.KeyPath}})

# curl
curl {{.Address}}/v1/chat/completions -sN -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \
  -d '{"model": "{{.OpenAI}}", "stream": true, "messages": [{"role": "user", "content": "Hello"}]}'

# OpenAI SDK: npm install openai
node --input-type=module -e '
import OpenAI from "openai";
const client = new OpenAI({ baseURL: "{{.Address}}/v1", apiKey: process.env.KEY });
const answer = await client.chat.completions.create({
  model: "{{.OpenAI}}", messages: [{ role: "user", content: "Hello" }] });
console.log(answer.choices[0].message.content, answer.usage);'

# Anthropic SDK: npm install @anthropic-ai/sdk
node --input-type=module -e '
import Anthropic from "@anthropic-ai/sdk";
const client = new Anthropic({ baseURL: "{{.Address}}", apiKey: process.env.KEY });
const answer = await client.messages.create({
  model: "{{.Anthropic}}", max_tokens: 1024, messages: [{ role: "user", content: "Hello" }] });
console.log(answer.content, answer.usage);'

# Google SDK: npm install @google/genai
node --input-type=module -e '
import { GoogleGenAI } from "@google/genai";
const client = new GoogleGenAI({ apiKey: process.env.KEY, httpOptions: { baseUrl: "{{.Address}}" } });
const answer = await client.models.generateContent({ model: "{{.Google}}", contents: "Hello" });
console.log(answer.text, answer.usageMetadata);'

# What was used, and what is left
{{.Prefix}}./caddy faregate usage --config {{.Caddyfile}}
{{.Prefix}}./caddy faregate balance demo --config {{.Caddyfile}}

The simulator makes its answers up. For a real provider, put a line like
    provider openai {env.OPENAI_API_KEY}
beside it in {{.Caddyfile}}, set OPENAI_API_KEY and start again;
for a public gateway begin with Caddyfile.example.

Serving. Ctrl-C stops it; the data stays in {{.Dir}}, and removing that begins anew.
`))

// showHowTo tells how to call the running gateway.
func showHowTo(screen io.Writer, s *server, c *customer, models modelNames, o options) error {
	prefix := "" // the demo Caddyfile knows the default directory
	if o.dir != ".demo" {
		prefix = "FAREGATE_DEMO_DIR='" + o.dir + "' "
	}
	return howTo.Execute(screen, map[string]any{
		"Address": s.address, "Created": c.created, "Secret": c.secret, "KeyPath": c.keyPath,
		"OpenAI": models.openai, "Anthropic": models.anthropic, "Google": models.google,
		"Caddyfile": demoCaddyfile, "Prefix": prefix, "Dir": o.dir,
	})
}
