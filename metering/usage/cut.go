package usage

// cut is a range of bytes to leave out.
type cut struct{ from, to int }

// cutter finds the members of the top-level object that have a given name and
// the value null, as ranges that take the member out together with its comma.
type cutter struct {
	field field     // 0: nothing is looked for
	log   *recorder // to which what happens is written down, too

	commaAt, keyAt int
	open           bool // the first member was cut: its range ends where the next begins
	list           [2]cut
	count          int
}

func (c *cutter) reset() { c.commaAt, c.keyAt, c.open, c.count = -1, -1, false, 0 }

func (c *cutter) comma(at int) {
	if c.log != nil {
		c.log.addCut(callComma, 0, at)
	}
	c.commaAt = at
}

func (c *cutter) key(at int) {
	if c.log != nil {
		c.log.addCut(callKey, 0, at)
	}
	c.keyAt = at
	c.closeRange(at)
	if c.commaAt < 0 || c.count > 0 && c.list[c.count-1].to > c.commaAt {
		// Nothing is left before this member: it has no comma of its own any more.
		c.commaAt = -1
	}
}

func (c *cutter) null(f field, end int) {
	if c.field == 0 || f != c.field || c.count == len(c.list) {
		return
	}
	if c.log != nil {
		c.log.addCut(callNull, f, end)
	}
	from := c.commaAt
	if from < 0 {
		from = c.keyAt
		c.open = true
	}
	c.list[c.count] = cut{from, end}
	c.count++
}

// close ends the range of a first member at the next key or the closing brace.
func (c *cutter) close(at int) {
	if c.log != nil {
		c.log.addCut(callClose, 0, at)
	}
	c.closeRange(at)
}

func (c *cutter) closeRange(at int) {
	if c.open {
		c.list[c.count-1].to = at
		c.open = false
	}
}

// ranges returns what was found, in order.
func (c *cutter) ranges() []cut { return c.list[:c.count] }
