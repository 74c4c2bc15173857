package caddymodule

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// output writes the findings of one command to standard output: each as a line
// of JSON, or as a row of an aligned table.
type output struct {
	buffer *bufio.Writer
	json   *json.Encoder // nil for a table
	table  *tabwriter.Writer
	rows   int
	err    error
}

// rowsAligned is how many rows of a long table are aligned together: the table
// has to be held in memory so far.
const rowsAligned = 500

func (c *commandLine) output(cmd *cobra.Command) *output {
	o := &output{buffer: bufio.NewWriter(cmd.OutOrStdout())}
	if c.asJSON {
		o.json = json.NewEncoder(o.buffer)
		o.json.SetEscapeHTML(false) // names like a&b are no HTML here
		return o
	}
	o.table = tabwriter.NewWriter(o.buffer, 0, 0, 2, ' ', 0)
	return o
}

// header names the columns of a table; JSON needs none.
func (o *output) header(columns ...string) {
	if o.table != nil {
		o.cells(columns)
	}
}

// row writes one finding: the value as JSON, or the cells.
func (o *output) row(value any, cells ...string) {
	if o.json != nil {
		o.err = errors.Join(o.err, o.json.Encode(value))
		return
	}
	o.cells(cells)
	if o.rows++; o.rows%rowsAligned == 0 {
		o.err = errors.Join(o.err, o.table.Flush())
	}
}

// facts writes one finding whole: the value as JSON, or one fact per line, given as
// name and value in turn. Facts without a value are left out.
func (o *output) facts(value any, namesAndValues ...string) {
	if o.json != nil {
		o.row(value)
		return
	}
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		if namesAndValues[i+1] != "" {
			o.row(nil, namesAndValues[i], namesAndValues[i+1])
		}
	}
}

// remark writes a line for people; JSON needs none.
func (o *output) remark(text string) {
	if o.table != nil {
		o.cells([]string{text})
	}
}

func (o *output) cells(cells []string) {
	_, err := io.WriteString(o.table, strings.Join(cells, "\t")+"\n")
	o.err = errors.Join(o.err, err)
}

// close writes what is left. Its error is the first of all writes.
func (o *output) close() error {
	if o.table != nil {
		o.err = errors.Join(o.err, o.table.Flush())
	}
	return errors.Join(o.err, o.buffer.Flush())
}

// instant is a moment in JSON: RFC 3339 in UTC, with microseconds, so that texts
// sort as moments do.
type instant time.Time

const instantLayout = "2006-01-02T15:04:05.000000Z07:00"

// MarshalText writes the moment.
func (i instant) MarshalText() ([]byte, error) {
	return time.Time(i).UTC().AppendFormat(nil, instantLayout), nil
}

// IsZero lets omitzero leave the moment out.
func (i instant) IsZero() bool { return time.Time(i).IsZero() }

const shownLayout = "2006-01-02 15:04:05Z"

// shown writes a moment for people: to the second, in UTC, empty if there is none.
func shown(moment time.Time) string {
	if moment.IsZero() {
		return ""
	}
	return moment.UTC().Format(shownLayout)
}
