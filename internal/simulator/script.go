package simulator

import (
	"bytes"
	"strings"
	"sync"
)

// Script is a list of steps. A request takes the first step that matches it and
// is not used up; steps for different paths or models do not wait for each
// other.
type Script []Step

// Step is one scripted answer and the requests that it is for.
type Step struct {
	Method string // "" is any
	Path   string // exact, or a prefix when it ends in *; "" is any
	Model  string // as the body (Gemini: the path) names it; "" is any

	// Having are texts that the body must all have.
	Having []string

	// Times that the step answers: 0 is once, Always for ever.
	Times int

	Response Response
}

// Always as Step.Times: the step is never used up.
const Always = -1

func (s *Step) matches(c *call) bool {
	if s.Method != "" && s.Method != c.method {
		return false
	}
	if s.Model != "" && s.Model != c.model {
		return false
	}
	for _, text := range s.Having {
		if !bytes.Contains(c.body, []byte(text)) {
			return false
		}
	}
	if prefix, wild := strings.CutSuffix(s.Path, "*"); wild {
		return strings.HasPrefix(c.path, prefix)
	}
	return s.Path == "" || s.Path == c.path
}

type queue struct {
	mu    sync.Mutex
	steps []Step
}

// Add appends steps to the script.
func (s *Simulator) Add(steps ...Step) {
	s.script.mu.Lock()
	defer s.script.mu.Unlock()
	for _, step := range steps {
		if step.Times == 0 {
			step.Times = 1
		}
		s.script.steps = append(s.script.steps, step)
	}
}

// Unused returns how many answers of the script nobody has asked for yet; steps
// that answer always do not count.
func (s *Simulator) Unused() int {
	s.script.mu.Lock()
	defer s.script.mu.Unlock()
	unused := 0
	for _, step := range s.script.steps {
		unused += max(step.Times, 0)
	}
	return unused
}

// take returns the response of the first matching step, or the zero Response,
// which is the native answer.
func (q *queue) take(c *call) Response {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.steps {
		step := &q.steps[i]
		if step.Times == 0 || !step.matches(c) {
			continue
		}
		if step.Times > 0 {
			step.Times--
		}
		return step.Response
	}
	return Response{}
}
