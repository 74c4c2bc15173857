package price

import (
	"fmt"
	"strings"
)

// Problem is one mistake in a price book or definition.
type Problem struct {
	// Place is where: a JSON pointer, "/providers/openai/models/gpt-5/periods/0/prices/input".
	Place string
	// Line is the line of the file, from 1; 0 where there is no file.
	Line int
	// Text says what is wrong and what to do.
	Text string
}

// String is "line 12, /providers/…: …".
func (p Problem) String() string {
	switch {
	case p.Line != 0 && p.Place != "":
		return fmt.Sprintf("line %d, %s: %s", p.Line, p.Place, p.Text)
	case p.Line != 0:
		return fmt.Sprintf("line %d: %s", p.Line, p.Text)
	case p.Place != "":
		return p.Place + ": " + p.Text
	}
	return p.Text
}

// problems collects mistakes, so that one run shows them all.
type problems []Problem

func (p *problems) add(place, format string, arguments ...any) {
	*p = append(*p, Problem{Place: place, Text: fmt.Sprintf(format, arguments...)})
}

// err is nil without problems.
func (p problems) err(kind error) error {
	if len(p) == 0 {
		return nil
	}
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return fmt.Errorf("%w: %s", kind, strings.Join(lines, "; "))
}

func listed(names []string) string { return strings.Join(names, ", ") }
