package usage

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
		m.split.afterCR = false
		m.scanner.root, m.scanner.single = bareRoots[m.options.Format], true
		m.scanner.reset()
	}
	return m.bare
}

// readBare reads the document, or the start of p that belongs to it. A line that is
// no JSON, or ends inside a text, is none: nothing after it is taken for more.
func (m *Meter) readBare(p []byte) (n int) {
	end := lineEnd(p)
	n = m.scanner.feed(p[:end])
	switch {
	case m.scanner.done():
		m.wasFinal = m.outcome.final
		m.endBare()
		return n
	case end == len(p):
		return end
	case m.scanner.failed(), m.scanner.inText():
		m.endBare()
		return end
	}
	m.scanner.feed(p[end : end+1])
	return end + 1
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
