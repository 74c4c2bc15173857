package usage

// Content tells whether any output was seen, like Report.Content without the cost
// of a whole Report.
func (m *Meter) Content() bool { return m.outcome.content }

// Final tells whether no more content can follow, like Report.Final.
func (m *Meter) Final() bool { return m.over() }

// Complete tells whether the whole answer arrived, like Report.Complete.
func (m *Meter) Complete() bool { return m.complete() }

// Failed tells whether the response is, or ended in, an error, like Report.Failed.
func (m *Meter) Failed() bool { return m.outcome.failed }
