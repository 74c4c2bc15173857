package usage

import "bytes"

// Some providers break off an event stream with an error that is no event, but
// the JSON document that it would be without a stream: Gemini does, and gateways
// that notice a failure late. To a reader of events its lines are unknown fields.

// atBare tells whether such a document goes on or begins with c.
func (m *Meter) atBare(c byte) bool {
	if m.bare {
		return true
	}
	m.bare = (c == '{' || c == '[') && m.split.atLine() && !m.outcome.ended
	if m.bare {
		m.scanner.root, m.scanner.single = bareRoots[m.options.Format], true
		m.scanner.reset()
	}
	return m.bare
}

// readBare reads the document, or the start of p that belongs to it.
func (m *Meter) readBare(p []byte) (n int) {
	line := len(p)
	if m.scanner.failed() {
		if line = bytes.IndexByte(p, '\n') + 1; line == 0 {
			return len(p)
		}
		m.endBare()
		return line
	}
	n = m.scanner.feed(p)
	switch {
	case m.scanner.done():
		m.wasFinal = m.outcome.final
		m.endBare()
	case m.scanner.failed():
		return max(n, 1)
	}
	return n
}

func (m *Meter) endBare() {
	m.bare = false
	m.scanner.root, m.scanner.single = m.root, false
	m.scanner.reset()
}

// bareRoots are the shapes of errors.
var bareRoots = func() map[Format]*node {
	openAI := []member{{"error", openAIErrorNode}}
	roots := map[Format]*node{}
	for f := OpenAIChat; f <= FreeAnswer; f++ {
		members := openAI
		switch f {
		case AnthropicMessages:
			members = []member{{"error", messageErrorNode}}
		case GeminiGenerate, GeminiEmbed:
			members = []member{{"error", geminiErrorNode}}
		}
		roots[f] = &node{members: members, element: &node{members: members}}
	}
	return roots
}()
