package simulator

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// call is a request with what its address says about it.
type call struct {
	method, path string
	query        url.Values
	header       http.Header
	body         []byte

	dialect Dialect
	verb    string // Gemini's, behind the colon
	items   bool   // OpenAI's Responses, not its chat
	counts  bool   // asks for the prompt's tokens only
	model   string
	known   bool // the path is one that the simulator serves
}

// newCall looks at the end of the path only, so that a provider may have any
// base address: /openai/v1/chat/completions is served as well.
func newCall(r *http.Request, body []byte) *call {
	c := &call{method: r.Method, path: r.URL.Path, query: r.URL.Query(), header: r.Header, body: body}
	if _, rest, found := strings.Cut(c.path, "/models/"); found && strings.Contains(rest, ":") {
		c.dialect = Google
		c.model, c.verb, _ = strings.Cut(rest, ":")
		c.counts = c.verb == "countTokens"
		c.known = c.counts || c.verb == "generateContent" || c.verb == "streamGenerateContent"
		return c
	}
	var named struct{ Model string }
	// A body that is no JSON has no model; the native answer says so later.
	_ = json.Unmarshal(body, &named)
	c.model = named.Model
	switch {
	case strings.HasSuffix(c.path, "/chat/completions"):
		c.known = true
	case strings.HasSuffix(c.path, "/responses"):
		c.items, c.known = true, true
	case strings.HasSuffix(c.path, "/v1/messages"):
		c.dialect, c.known = Anthropic, true
	case strings.HasSuffix(c.path, "/v1/messages/count_tokens"):
		c.dialect, c.known, c.counts = Anthropic, true, true
	case strings.HasPrefix(c.path, "/v1beta/"):
		c.dialect = Google
	case c.header.Get("Anthropic-Version") != "":
		c.dialect = Anthropic
	}
	return c
}

// question is what the three dialects have in common.
type question struct {
	model        string
	stream       bool
	sse          bool // Gemini streams without alt=sse are a JSON array
	includeUsage bool
	choices      int
	outputCap    int64 // 0: none

	textBytes int64 // of all texts of the prompt

	prompt     string // the last text of the user, if it is the last turn
	tools      []tool
	force      bool // a tool must be called
	forced     string
	forbid     bool
	apiVersion string // Anthropic's
}

// inputTokens takes four bytes for a token, as tokenizers roughly do with
// English.
func (q *question) inputTokens() int64 { return max(1, (q.textBytes+3)/4) }

// read parses the body as its dialect has it.
func (c *call) read() (*question, *problem) {
	if !c.known {
		return nil, refusal(http.StatusNotFound, "the simulator does not serve this path")
	}
	if c.method != http.MethodPost {
		return nil, refusal(http.StatusMethodNotAllowed, "the simulator wants POST here")
	}
	q := &question{model: c.model, choices: 1}
	var problem *problem
	switch c.dialect {
	case Anthropic:
		problem = c.readMessages(q)
	case Google:
		problem = c.readGemini(q)
	default:
		if c.items {
			problem = c.readResponses(q)
			break
		}
		problem = c.readChat(q)
	}
	if problem == nil && q.model == "" {
		problem = refusal(http.StatusBadRequest, "model is missing")
	}
	if problem == nil && (q.choices < 1 || q.choices > 128) {
		problem = refusal(http.StatusBadRequest, "the number of choices must be 1 to 128")
	}
	if problem == nil && q.outputCap < 0 {
		problem = refusal(http.StatusBadRequest, "the output cap must be positive")
	}
	return q, problem
}

// decode unmarshals the body; the error text must not quote it.
func (c *call) decode(into any) *problem {
	if json.Unmarshal(c.body, into) != nil {
		return refusal(http.StatusBadRequest, "the body is not the JSON that is expected here")
	}
	return nil
}

// content is a string or a list of parts, of which those with a text count.
type content struct {
	texts      []string
	toolResult bool
}

func (t *content) UnmarshalJSON(data []byte) error {
	var text *string
	if json.Unmarshal(data, &text) == nil {
		if text != nil {
			t.texts = []string{*text}
		}
		return nil
	}
	var parts []struct {
		Type    string
		Text    string
		Content *content // of a tool result
	}
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	for _, part := range parts {
		if part.Text != "" {
			t.texts = append(t.texts, part.Text)
		}
		if part.Content != nil {
			t.texts = append(t.texts, part.Content.texts...)
		}
		t.toolResult = t.toolResult || part.Type == "tool_result"
	}
	return nil
}

func (q *question) count(t content) {
	for _, text := range t.texts {
		q.textBytes += int64(len(text))
	}
}

// turn counts one turn; the last one decides what the prompt is.
func (q *question) turn(t content, isUser bool) {
	q.count(t)
	q.prompt = ""
	if isUser && !t.toolResult {
		q.prompt = strings.Join(t.texts, " ")
	}
}
