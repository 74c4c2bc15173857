package dialect

import "net/http"

const (
	// MaxConversation bounds what AppendConversation appends, in bytes.
	MaxConversation = 1 + (maxSystem+maxHead)*(2+2*headEdge)

	// maxSystem and maxHead are how many texts of the instructions, and of what comes up to
	// the end of the first message of the user, are looked at: the first ones and the last.
	maxSystem, maxHead = 2, 6
	// headEdge is how much of a text is looked at from its beginning and from its end.
	headEdge = 256
)

// conversation is where a body tells which conversation it goes on with: what does not
// change from one turn to the next.
type conversation struct {
	cacheKey span // prompt_cache_key
	session  span // session_id
	user     span // user, safety_identifier, metadata.user_id

	system         [maxSystem]span
	head           [maxHead]span
	systems, heads uint8
	begun          bool // the first message of the user has ended
	byUser         bool // the one that is read is the user's
}

// sessionHeaders name a session, or a conversation, in what clients send by themselves:
// Claude Code; Codex, two spellings; opencode; xAI's advice for prompt caching; several.
var sessionHeaders = [...]string{
	"X-Claude-Code-Session-Id", "Session_id", "Session-Id", "Conversation_id", "X-Session-Affinity", "X-Grok-Conv-Id", "X-Session-Id",
}

// name notes a text that names something.
func (b *reading) name(into *span, start, end int) {
	if b.scanner.data[start] == '"' && end-start > 2 && !into.present() {
		*into = span{start, end}
	}
}

// systemText notes a text of the instructions, wherever in the body they are.
func (b *reading) systemText(start, end int) {
	c := &b.request.conversation
	if b.scanner.data[start] == '"' {
		addText(c.system[:], &c.systems, span{start, end})
	}
}

// headText notes a text of a message that may be one of the first.
func (b *reading) headText(start, end int) {
	c := &b.request.conversation
	if !c.begun && b.scanner.data[start] == '"' {
		addText(c.head[:], &c.heads, span{start, end})
	}
}

// addText keeps the first texts and the last.
func addText(texts []span, count *uint8, text span) {
	if int(*count) < len(texts) {
		*count++
	}
	texts[*count-1] = text
}

// role notes whose message is read.
func (b *reading) role(start, end int) {
	b.request.conversation.byUser = string(b.scanner.data[start:end]) == `"user"`
}

// message notes that a message begins or ends.
func (b *reading) message(end int) {
	c := &b.request.conversation
	c.begun = c.begun || end >= 0 && c.byUser
	c.byUser = false
}

// AppendConversation appends what tells the request's conversation from others of the
// same account: what the caller calls it, or its user, in the body or in a header, else
// pieces of its beginning. It appends nothing where there is nothing to tell, and
// MaxConversation bytes at most.
func (r *Request) AppendConversation(to []byte, header http.Header) []byte {
	c := &r.conversation
	if c.cacheKey.present() {
		return r.appendEdges(append(to, 'c'), c.cacheKey)
	}
	for _, name := range sessionHeaders {
		if values := header[name]; len(values) == 1 && values[0] != "" {
			return append(append(to, 's'), values[0][:min(len(values[0]), headEdge)]...)
		}
	}
	switch {
	case c.session.present():
		return r.appendEdges(append(to, 's'), c.session)
	case c.user.present():
		return r.appendEdges(append(to, 'u'), c.user)
	case c.heads == 0:
		return to
	}
	to = append(to, 'h')
	for _, text := range c.system[:c.systems] {
		to = r.appendEdges(to, text)
	}
	for _, text := range c.head[:c.heads] {
		to = r.appendEdges(to, text)
	}
	return to
}

// appendEdges appends the beginning and the end of a text, with their length.
func (r *Request) appendEdges(to []byte, text span) []byte {
	written := r.body[text.start+1 : text.end-1] // without the quotes
	first := written[:min(len(written), headEdge)]
	last := written[len(first):]
	last = last[len(last)-min(len(last), headEdge):]
	length := len(first) + len(last)
	to = append(to, byte(length>>8), byte(length))
	return append(append(to, first...), last...)
}
