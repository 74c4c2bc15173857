package usage

// messagePassRecord is one sampling pass.
type messagePassRecord struct {
	kind, model string
	counts      messageCounts
}

// messageCounts are the numbers of a usage object, as reported.
type messageCounts struct {
	input, output, thinking int64
	read, written           int64
	written5m, written1h    int64
	searches, fetches       int64
}

func (c *messageCounts) set(f field, n int64) {
	switch f {
	case messageInput:
		c.input = n
	case messageOutput:
		c.output = n
	case messageRead:
		c.read = n
	case messageWritten:
		c.written = n
	case messageWritten5m:
		c.written5m = n
	case messageWritten1h:
		c.written1h = n
	case messageThinking:
		c.thinking = n
	case messageSearches:
		c.searches = n
	case messageFetches:
		c.fetches = n
	}
}

// usage makes disjoint classes. input_tokens excludes what the cache took part
// in. The split by lifetime may be missing, or be older than the total (it comes
// with message_start, the total again with message_delta): the rest is the
// interface's default lifetime, five minutes.
func (c messageCounts) usage() Usage {
	written := max(c.written, c.written5m+c.written1h)
	u := Usage{
		InputTotal:   c.input + c.read + written,
		Input:        c.input,
		CacheRead:    c.read,
		CacheWrite1h: c.written1h,
		CacheWrite5m: written - c.written1h,
		OutputTotal:  c.output,
		Output:       c.output,
		Reasoning:    min(c.thinking, c.output),
	}
	u.Units.WebSearch = c.searches
	u.Units.WebFetch = c.fetches
	return u
}
