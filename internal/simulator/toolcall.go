package simulator

import (
	"encoding/json"
	"strings"
)

type tool struct {
	name   string
	schema json.RawMessage // JSON Schema of the arguments
}

type toolCall struct {
	name      string
	arguments json.RawMessage // an object
}

// tokens of a call: its name, and one for each four bytes of arguments.
func (t *toolCall) tokens() int64 { return int64(1 + len(t.pieces())) }

// pieces are the arguments as they are streamed.
func (t *toolCall) pieces() []string {
	var pieces []string
	for rest := string(t.arguments); rest != ""; {
		// Schemas may name properties in any script; a piece must not cut a
		// character, or it would not survive being quoted as JSON.
		n := min(4, len(rest))
		for n < len(rest) && rest[n]&0xc0 == 0x80 {
			n++
		}
		pieces, rest = append(pieces, rest[:n]), rest[n:]
	}
	return pieces
}

// toolCall is the call that the request wants: because it forces one, or
// because the prompt says "call the tool" or "use the tool". Nil: none.
func (q *question) toolCall() *toolCall {
	prompt := strings.ToLower(q.prompt)
	asked := strings.Contains(prompt, "call the tool") || strings.Contains(prompt, "use the tool")
	if len(q.tools) == 0 || q.forbid || !q.force && !asked {
		return nil
	}
	chosen := q.tools[0]
	for _, t := range q.tools {
		if t.name == q.forced {
			chosen = t
		}
	}
	arguments := example(chosen.schema)
	if arguments == nil || arguments[0] != '{' {
		arguments = json.RawMessage("{}")
	}
	return &toolCall{name: chosen.name, arguments: arguments}
}

// example makes the plainest value that fits a JSON Schema's type, required
// properties and enumeration. References and combinations are beyond it.
func example(schema json.RawMessage) json.RawMessage {
	var s struct {
		Type       json.RawMessage
		Enum       []json.RawMessage
		Properties map[string]json.RawMessage
		Required   []string
	}
	if json.Unmarshal(schema, &s) != nil {
		return nil
	}
	if len(s.Enum) > 0 {
		return s.Enum[0]
	}
	switch kind := schemaType(s.Type); {
	case kind == "string":
		return json.RawMessage(`"simulated"`)
	case kind == "integer" || kind == "number":
		return json.RawMessage("1")
	case kind == "boolean":
		return json.RawMessage("true")
	case kind == "array":
		return json.RawMessage("[]")
	case kind == "object" || s.Properties != nil:
		object := map[string]json.RawMessage{}
		for _, name := range s.Required {
			if value := example(s.Properties[name]); value != nil {
				object[name] = value
			}
		}
		text, err := json.Marshal(object)
		if err != nil {
			return nil
		}
		return text
	}
	return json.RawMessage("null")
}

// schemaType reads "string", "STRING" (Gemini) and ["string","null"].
func schemaType(raw json.RawMessage) string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return strings.ToLower(one)
	}
	var several []string
	if json.Unmarshal(raw, &several) == nil && len(several) > 0 {
		return several[0]
	}
	return ""
}
