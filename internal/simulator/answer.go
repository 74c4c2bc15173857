package simulator

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Answer alters a native answer. The zero value alters nothing.
type Answer struct {
	// Text replaces the standard text. Each word with the white space behind
	// it is one token and, in a stream, one event.
	Text string

	// OneEvent streams the whole text in one event, however large, and in a chat
	// the whole call of a tool, as xAI does.
	OneEvent bool

	// Tool is called instead of any text, whether the request offers it or not.
	Tool *ToolCall

	// Silent says nothing at all and reports the input only.
	Silent bool

	// Usage replaces the true numbers; the zero Usage reports all zeros.
	Usage *Usage
	// NoUsage leaves usage out, wherever the dialect would have it.
	NoUsage bool

	// Model is the name that the answer gives as its maker; "" repeats the
	// request's.
	Model string

	// Finish replaces the reason of the end, in the dialect's own word.
	Finish string

	// Fail, an HTTP status, ends the answer after FailAfter tokens with the
	// dialect's error for it, under the status 200.
	Fail      int
	FailAfter int
}

// Usage in tokens. Input includes what was read from and written to a cache, and
// Output includes Reasoning; each dialect reports them in its own arithmetic.
type Usage struct {
	Input, CacheRead, CacheWrite5m, CacheWrite1h int64

	Output, Reasoning int64
}

// ToolCall is what an answer wants the client to run.
type ToolCall struct {
	Name      string
	Arguments string // a JSON object
}

// StandardText is what native answers say.
const StandardText = "This answer comes from the Faregate simulator, not from a language model. " +
	"Every request gets the same words, streamed one by one, " +
	"so that you can watch tokens being measured and paid for without any provider account. " +
	"Add a real provider to the configuration, and real answers will take this way instead."

type finish uint8

const (
	finishEnd finish = iota
	finishLength
	finishTool
)

// reply is a native answer before a dialect gives it its form.
type reply struct {
	*question
	model   string
	created time.Time
	words   []string  // of each choice; the concatenation is the text
	tool    *toolCall // instead of words
	finish  finish
	usage   *Usage // nil: report none
	counted bool   // usage follows from this reply and is not a scripted one
	answer  *Answer
}

// answer makes the native answer to a call.
func (s *Simulator) answer(c *call, answer *Answer) payload {
	if answer == nil {
		answer = &Answer{}
	}
	if problem := s.refuse(c); problem != nil {
		return problem.payload(c.dialect)
	}
	q, problem := c.read()
	if problem != nil {
		return problem.payload(c.dialect)
	}
	if c.counts {
		return q.countOf(c.dialect)
	}
	r := compose(q, answer)
	r.created = s.now()
	var p payload
	switch c.dialect {
	case Anthropic:
		p = s.answerMessages(c, r)
	case Google:
		p = s.answerGemini(r)
	default:
		if c.items {
			p = s.answerResponses(r)
			break
		}
		p = s.answerChat(r)
	}
	p.delay = s.delay
	return p
}

// countOf answers with the prompt's tokens.
func (q *question) countOf(dialect Dialect) payload {
	name := "input_tokens"
	if dialect == Google {
		name = "totalTokens"
	}
	return documentOf("application/json", http.StatusOK, object(map[string]int64{name: q.inputTokens()}))
}

func compose(q *question, answer *Answer) *reply {
	r := &reply{question: q, answer: answer, model: q.model}
	if answer.Model != "" {
		r.model = answer.Model
	}
	var tokens int64
	switch {
	case answer.Tool != nil:
		r.tool = &toolCall{name: answer.Tool.Name, arguments: json.RawMessage(answer.Tool.Arguments)}
	case !answer.Silent && answer.Text == "":
		r.tool = q.toolCall()
	}
	if r.tool != nil {
		tokens, r.finish = r.tool.tokens(), finishTool
		if q.outputCap > 0 && tokens > q.outputCap {
			r.tool, r.finish = nil, finishEnd // a call cut in two helps nobody
		}
	}
	if r.tool == nil && !answer.Silent {
		text := answer.Text
		if text == "" {
			text = StandardText
		}
		r.words = strings.SplitAfter(text, " ")
		if q.outputCap > 0 && int64(len(r.words)) > q.outputCap {
			r.words, r.finish = r.words[:q.outputCap], finishLength
		}
		tokens = int64(len(r.words))
	}
	if answer.Fail != 0 && answer.FailAfter < len(r.words) {
		r.words = r.words[:answer.FailAfter]
		tokens = int64(len(r.words))
	}
	r.usage, r.counted = answer.Usage, answer.Usage == nil
	if r.counted {
		r.usage = &Usage{Input: q.inputTokens(), Output: tokens * int64(q.choices)}
	}
	if answer.NoUsage {
		r.usage = nil
	}
	if answer.OneEvent && len(r.words) > 1 {
		r.words = []string{strings.Join(r.words, "")}
	}
	return r
}

// finishWord is the end's reason in the dialect's words, which are given in
// the order of the finish constants.
func (r *reply) finishWord(words [3]string) string {
	if r.answer.Finish != "" {
		return r.answer.Finish
	}
	return words[r.finish]
}

func (r *reply) text() string { return strings.Join(r.words, "") }

// streamOf joins events into a body that keeps their borders.
func streamOf(contentType string, events [][]byte) payload {
	p := payload{status: http.StatusOK, header: http.Header{}}
	p.header.Set("Content-Type", contentType)
	p.header.Set("Cache-Control", "no-cache")
	for i, event := range events {
		if i > 0 {
			p.cuts = append(p.cuts, len(p.body))
		}
		p.body = append(p.body, event...)
	}
	return p
}

func documentOf(contentType string, status int, body []byte) payload {
	p := payload{status: status, header: http.Header{}, body: body}
	p.header.Set("Content-Type", contentType)
	return p
}
