package price

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ErrBook says that a price book has mistakes.
var ErrBook = errors.New("this price book cannot be used")

// Parse reads a price book. The error wraps ErrBook and names every mistake.
func Parse(data []byte) (*Book, error) {
	book, problems := parse(data, nil)
	if err := problems.err(ErrBook); err != nil {
		return nil, err
	}
	return book, nil
}

// Check is the mistakes of a price book, with the place and what to do; none
// if Parse takes it.
func Check(data []byte) []Problem {
	_, problems := parse(data, nil)
	return problems
}

// parse reads a book, over a base if there is one.
func parse(data []byte, base *Book) (*Book, problems) {
	var problems problems
	var file BookFile
	if err := json.Unmarshal(data, &file, json.RejectUnknownMembers(true)); err != nil {
		problems = append(problems, jsonProblem(data, err))
		return nil, problems
	}
	if file.Format != 1 {
		problems.add("/format", "%d is a format that this program does not read; it reads 1", file.Format)
		return nil, problems.withLines(data)
	}
	if !isVersion(file.Version) {
		problems.add("/version", `%q is not a date; write the day on which the book was made, "2026-11-23", or "2026-11-23.2" for the second of that day`, file.Version)
	}
	if len(file.Providers) == 0 {
		problems.add("/providers", "there is no provider")
	}
	for _, name := range slices.Sorted(maps.Keys(file.Providers)) {
		if len(file.Providers[name].Models) == 0 {
			problems.add("/providers/"+pointer(name)+"/models", "there is no model")
		}
	}
	book := &Book{version: file.Version, providers: map[string]*provider{}, file: file}
	if base != nil {
		book.version = layeredVersion(base, &file, data)
		if !file.Complete {
			book.file = layered(&base.file, &file)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(book.file.Providers)) {
		book.providers[name] = readProvider("/providers/"+pointer(name), name, book.file.Providers[name], &problems)
	}
	return book, problems.withLines(data)
}

// isVersion tells whether a text is a day, or one with a suffix of letters and
// digits: records carry it.
func isVersion(text string) bool {
	day, suffix, several := strings.Cut(text, ".")
	return isDay(day) && (!several || suffix != "" && len(suffix) <= 32 &&
		strings.Trim(suffix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == "")
}

func readProvider(place, name string, file ProviderFile, problems *problems) *provider {
	read := &provider{
		names:  slices.Sorted(maps.Keys(file.Models)),
		models: map[string]*Model{}, byName: map[string]*Model{},
		prefixes: file.Prefixes, suffixes: file.VersionSuffixes,
	}
	for i, suffix := range file.VersionSuffixes {
		if strings.Trim(suffix, "YMDN") == "" || strings.Trim(suffix, "YMDN-@.") != "" {
			problems.add(place+"/version_suffixes/"+strconv.Itoa(i), `%q must begin with -, @ or . and have Y, M, D, N for digits, like "-YYYY-MM-DD"`, suffix)
		}
	}
	for _, modelName := range read.names {
		modelPlace := place + "/models/" + pointer(modelName)
		model := readModel(modelPlace, file.Models[modelName], problems)
		model.Provider, model.Name = name, modelName
		read.models[modelName] = model
		read.byName[modelName] = model
	}
	for _, modelName := range read.names {
		model := read.models[modelName]
		modelPlace := place + "/models/" + pointer(modelName)
		for i, alias := range model.Aliases {
			if other, taken := read.byName[alias]; taken {
				problems.add(modelPlace+"/aliases/"+strconv.Itoa(i), "%q is already a name of %s: one name has one price", alias, other.Name)
				continue
			}
			read.byName[alias] = model
		}
		for i, target := range file.Models[modelName].ServedAs {
			other, known := read.models[target]
			if !known {
				problems.add(modelPlace+"/served_as/"+strconv.Itoa(i), "there is no model %q of this provider", target)
				continue
			}
			model.servedAs = append(model.servedAs, other)
		}
	}
	return read
}

// modalities are the kinds of input that a model may take.
var modalities = []string{"text", "image", "audio", "video", "pdf"}

func readModel(place string, file ModelFile, problems *problems) *Model {
	model := &Model{
		Aliases: file.Aliases, ContextLength: file.ContextLength,
		InputLimit: file.InputLimit, OutputLimit: file.OutputLimit, InputModalities: file.InputModalities,
		Reasons: file.Reasoning, Note: file.Note,
	}
	for i, modality := range file.InputModalities {
		if !slices.Contains(modalities, modality) {
			problems.add(place+"/input_modalities/"+strconv.Itoa(i), "%q is no kind of input; they are %s", modality, strings.Join(modalities, ", "))
		}
	}
	if file.ContextLength < 0 || file.InputLimit < 0 || file.OutputLimit < 0 {
		problems.add(place, "a limit is negative; leave out what is unknown")
	}
	if len(file.Periods) == 0 {
		problems.add(place+"/periods", "there is no period: a model without a price cannot be served")
	}
	for i, periodFile := range file.Periods {
		periodPlace := place + "/periods/" + strconv.Itoa(i)
		read := readPeriod(periodPlace, periodFile, problems)
		if i > 0 && !read.from.After(model.periods[i-1].from) {
			problems.add(periodPlace+"/from", "%q is not after the period before: periods ascend, and only the first may lack from", periodFile.From)
		}
		model.periods = append(model.periods, read)
	}
	return model
}

func readPeriod(place string, file PeriodFile, problems *problems) period {
	read := period{file: file}
	if file.From != "" {
		from, err := time.Parse(time.DateOnly, file.From)
		if err != nil {
			problems.add(place+"/from", `%q is not a day like "2026-07-30"`, file.From)
		}
		read.from = from
	}
	if !isDay(file.Checked) {
		problems.add(place+"/checked", `%q is not a day like "2026-07-30"; write the day on which the source said so`, file.Checked)
	}
	if file.Source == "" {
		problems.add(place+"/source", "every price says where it is from")
	}
	read.rates = compile(&read.file.Definition, place, problems)
	for i, hoursFile := range file.Hours {
		hoursPlace := place + "/hours/" + strconv.Itoa(i)
		definition := file.Definition
		definition.Prices, definition.Tiers = hoursFile.Prices, hoursFile.Tiers
		hours := hours{rates: compile(&definition, hoursPlace, problems)}
		for _, class := range slices.Sorted(maps.Keys(file.Prices)) {
			if _, stated := hoursFile.Prices[class]; !stated {
				problems.add(hoursPlace+"/prices", "no price of %s, which the period has: state it", class)
			}
		}
		var fromOK, untilOK bool
		hours.from, fromOK = minuteOfDay(hoursFile.From)
		hours.until, untilOK = minuteOfDay(hoursFile.Until)
		if !fromOK || !untilOK || hours.from == hours.until {
			problems.add(hoursPlace, `from %q until %q are not two times of day like "06:00" and "10:00" (UTC)`, hoursFile.From, hoursFile.Until)
		}
		for j, name := range hoursFile.Days {
			day, known := weekdayNamed(name)
			if !known {
				problems.add(hoursPlace+"/days/"+strconv.Itoa(j), "%q is not a day; the days are %s", name, listed(weekdayNames[:]))
			}
			hours.days |= 1 << day
		}
		read.hours = append(read.hours, hours)
	}
	return read
}

func minuteOfDay(text string) (int, bool) {
	at, err := time.Parse("15:04", text)
	return minuteAt(at), err == nil && len(text) == len("15:04")
}

var weekdayNames = [...]string{time.Sunday: "sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func weekdayNamed(name string) (day time.Weekday, ok bool) {
	i := slices.Index(weekdayNames[:], name)
	return time.Weekday(max(i, 0)), i >= 0
}

func isDay(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}

// pointer escapes a name for a JSON pointer (RFC 6901 §3).
func pointer(name string) string { return pointerEscapes.Replace(name) }

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// jsonProblem is the place and text of an error of the JSON reader.
func jsonProblem(data []byte, err error) Problem {
	problem := Problem{Text: err.Error()}
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		problem.Place = string(semantic.JSONPointer)
		problem.Line = lineAt(data, semantic.ByteOffset)
		problem.Text = "a value of another kind is needed here (prices are strings, \"2.5\"; limits are numbers)"
		if errors.Is(err, json.ErrUnknownName) {
			problem.Text = "there is no such member; is it misspelt?"
		}
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		problem.Place = string(syntactic.JSONPointer)
		problem.Line = lineAt(data, syntactic.ByteOffset)
		problem.Text = "this is not JSON: " + syntactic.Err.Error()
	}
	return problem
}

func lineAt(data []byte, offset int64) int {
	offset = min(max(offset, 0), int64(len(data)))
	return 1 + bytes.Count(data[:offset], []byte("\n"))
}

// withLines adds the lines of the places. A place that is not in the file (a
// missing member) has the line of what should hold it.
func (p problems) withLines(data []byte) problems {
	if len(p) == 0 {
		return p
	}
	lines := map[string]int{}
	decoder := jsontext.NewDecoder(bytes.NewReader(data))
	for {
		if _, err := decoder.ReadToken(); err != nil {
			break // the end: the whole file was read before
		}
		place := string(decoder.StackPointer())
		if _, seen := lines[place]; !seen {
			lines[place] = lineAt(data, decoder.InputOffset())
		}
	}
	for i := range p {
		place := p[i].Place
		for place != "" && lines[place] == 0 {
			place = place[:strings.LastIndexByte(place, '/')]
		}
		p[i].Line = max(lines[place], 1)
	}
	return p
}
