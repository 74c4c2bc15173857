package tokens

import (
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// recorded is what a provider reported for a text of which only numbers are kept here.
// internal/dialect reads them out of recordings, and checks that they are true.
type recorded struct {
	direction, model, name string
	elsewhere              bool // tools ran at the provider, whose texts the gateway does not see
	prompt                 Prompt
	tokenizer              int64 // what the model's tokenizer makes of the text; -1 without one
	reported               int64
}

func recordings(t *testing.T) (all []recorded) {
	t.Helper()
	file, err := os.Open("testdata/recorded.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		var n [14]int64
		for i := range n {
			if n[i], err = strconv.ParseInt(row[3+i], 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, recorded{
			direction: row[0], model: row[1], elsewhere: row[2] == "true", name: row[17],
			prompt: Prompt{
				Text: Text{Bytes: n[0], Letters: n[1], Digits: n[2], Signs: n[3], Spaces: n[4], Breaks: n[5], Alphabets: n[6],
					Ideographs: n[7], Others: n[8], Calls: n[9]},
				Messages: n[10], Tools: n[11],
			},
			tokenizer: n[12], reported: n[13],
		})
	}
	return all
}

// reasonsUnseen tells whether an answer of a model has tokens that are neither of its text
// nor told as reasoning, which OpenAI rounds to 64.
func reasonsUnseen(model string) bool {
	model = model[strings.LastIndexByte(model, '/')+1:]
	return strings.HasPrefix(model, "gpt-5") || strings.HasPrefix(model, "o")
}

func (r *recorded) estimate() int64 {
	f := For(r.model).family()
	text := f.tokens(&r.prompt.Text)
	if r.tokenizer >= 0 {
		text = r.tokenizer
	}
	if r.direction == "output" {
		return f.answerOf(text, &r.prompt.Text)
	}
	return f.inputOf(text, &r.prompt)
}

// errors are how far estimates are from what was reported, in percent of that.
type errors struct {
	each                []float64 // without signs
	estimated, reported int64
}

func (e *errors) add(estimated, reported int64) {
	difference := float64(estimated-reported) / float64(reported) * 100
	e.each = append(e.each, max(difference, -difference))
	e.estimated += estimated
	e.reported += reported
}

func (e *errors) mean() (mean float64) {
	for _, one := range e.each {
		mean += one / float64(len(e.each))
	}
	return mean
}

// percentile is the nearest rank; each is sorted.
func (e *errors) percentile(p int) float64 {
	return e.each[(len(e.each)*p+99)/100-1]
}

// bias is by how much all estimates together are too high.
func (e *errors) bias() float64 {
	return float64(e.estimated-e.reported) / float64(e.reported) * 100
}

// bounds are, for each family, the most that the median error, the 90th percentile and
// the bias, to either side, may be, in percent.
var bounds = map[string][3]float64{
	"input (tools at the provider)":  {95, 105, 100},
	"input cl100k":                   {5, 5, 5},
	"input claude":                   {30, 145, 10},
	"input deepseek":                 {45, 90, 25},
	"input gemini":                   {45, 135, 15},
	"input glm":                      {15, 1225, 35},
	"input gpt-oss":                  {10, 35, 10},
	"input grok":                     {40, 105, 50},
	"input kimi":                     {10, 10, 10},
	"input llama":                    {5, 10, 5},
	"input mistral":                  {15, 60, 15},
	"input o200k":                    {5, 10, 30},
	"input other":                    {30, 60, 15},
	"input qwen":                     {5, 10, 5},
	"output (tools at the provider)": {30, 65, 30},
	"output cl100k":                  {5, 10, 5},
	"output claude":                  {15, 40, 10},
	"output deepseek":                {10, 20, 5},
	"output gemini":                  {10, 35, 10},
	"output glm":                     {10, 60, 10},
	"output gpt-oss":                 {20, 20, 15},
	"output grok":                    {5, 20, 5},
	"output kimi":                    {10, 10, 10},
	"output llama 3":                 {5, 5, 5},
	"output mistral":                 {5, 30, 10},
	"output o200k":                   {5, 10, 5},
	"output o200k (reasons unseen)":  {70, 100, 25},
	"output other":                   {35, 100, 25},
	"output qwen":                    {15, 30, 5},
}

// errorsOfRecordings are those of the families, of the same names as in bounds. Texts of
// fewer than 20 tokens are left out, in which the marks around them are most.
func errorsOfRecordings(t *testing.T) map[string]*errors {
	t.Helper()
	found := make(map[string]*errors)
	for _, r := range recordings(t) {
		if r.reported < 20 {
			continue
		}
		key := r.direction + " " + For(r.model).Family()
		if strings.HasSuffix(key, "output o200k") && reasonsUnseen(r.model) {
			key += " (reasons unseen)"
		}
		if r.elsewhere {
			key = r.direction + " (tools at the provider)"
		}
		if found[key] == nil {
			found[key] = new(errors)
		}
		found[key].add(r.estimate(), r.reported)
	}
	for _, e := range found {
		slices.Sort(e.each)
	}
	return found
}

// tableOf is what docs/metering.md shows of the errors.
func tableOf(found map[string]*errors) string {
	var table strings.Builder
	table.WriteString("| | cases | mean | median | 90th percentile | bias |\n|---|---|---|---|---|---|\n")
	for _, key := range slices.Sorted(maps.Keys(found)) {
		e := found[key]
		name := key
		if strings.HasSuffix(name, " other") {
			name += " models"
		}
		fmt.Fprintf(&table, "| %s | %d | %.0f %% | %.0f %% | %.0f %% | %+.0f %% |\n", name, len(e.each), e.mean(), e.percentile(50), e.percentile(90), e.bias())
	}
	return table.String()
}

// TestErrorOfEstimates reports how far the estimates are from what providers reported,
// and fails where they are further off than their bounds.
func TestErrorOfEstimates(t *testing.T) {
	found := errorsOfRecordings(t)
	for _, key := range slices.Sorted(maps.Keys(found)) {
		e := found[key]
		bound, ok := bounds[key]
		if !ok {
			t.Errorf("%s has no bounds", key)
		}
		if e.percentile(50) > bound[0] || e.percentile(90) > bound[1] || max(e.bias(), -e.bias()) > bound[2] {
			t.Errorf("%s: median %.1f %%, p90 %.1f %%, bias %.1f %%; the bounds are %v", key, e.percentile(50), e.percentile(90), e.bias(), bound)
		}
	}
	// A bound that nothing is held to would seem to prove something.
	for _, key := range slices.Sorted(maps.Keys(bounds)) {
		if found[key] == nil {
			t.Errorf("no recording is of %s, which has bounds", key)
		}
	}
	t.Logf("error of estimates, in percent of what was reported:\n%s", tableOf(found))
}

// docs/metering.md tells operators these numbers, with which they judge what they charge.
func TestTheDocumentedErrorsAreTheMeasuredOnes(t *testing.T) {
	document, err := os.ReadFile("../../docs/metering.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for line := range strings.Lines(string(document)) {
		if strings.HasPrefix(line, "| input ") || strings.HasPrefix(line, "| output ") {
			documented = append(documented, line)
		}
	}
	measured := slices.Collect(strings.Lines(tableOf(errorsOfRecordings(t))))[2:]
	for _, line := range measured {
		if !slices.Contains(documented, line) {
			t.Errorf("docs/metering.md lacks %s", line)
		}
	}
	for _, line := range documented {
		if !slices.Contains(measured, line) {
			t.Errorf("docs/metering.md has what was not measured: %s", line)
		}
	}
}
