package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

const written = "../../../metering/usage/testdata/recordings"

var (
	filler      = regexp.MustCompile(`^[xé€😀\s"\\/\x08\x0c]*$`)
	mailAddress = regexp.MustCompile(`[A-Za-z0-9._]@[A-Za-z0-9-]+\.[A-Za-z]`)
	identifier  = regexp.MustCompile(`^[a-p]+$`)
)

// TestNoFreeText reads the written test data on its own terms: whatever is a
// string must be filler, a replaced identifier or of a known vocabulary.
func TestNoFreeText(t *testing.T) {
	checked, size := 0, 0
	err := filepath.WalkDir(written, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		checked++
		size += len(text)
		switch entry.Name() {
		case "response.txt":
			if filler.Match(text) { // audio or plain text
				break
			}
			for _, finding := range freeText(text) {
				t.Errorf("%s: %s", path, finding)
			}
		case "case.json":
			if bytes.Contains(text, []byte(`"body"`)) || mailAddress.Match(text) {
				t.Errorf("%s holds more than facts", path)
			}
		default:
			t.Errorf("%s is no test data", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 120 || size > 3<<20 {
		t.Errorf("%d files with %d bytes", checked, size)
	}
}

// freeText returns the strings of a response that are not known to be neutral.
func freeText(response []byte) (findings []string) {
	stream := !bytes.HasPrefix(bytes.TrimSpace(response), []byte("{")) && !bytes.HasPrefix(bytes.TrimSpace(response), []byte("["))
	if !stream {
		return freeTextInDocument(response)
	}
	for _, line := range bytes.FieldsFunc(response, func(r rune) bool { return r == '\n' || r == '\r' }) {
		data, isData := bytes.CutPrefix(line, []byte("data: "))
		if keptLine(line) {
			continue
		}
		if !isData {
			findings = append(findings, string(line))
			continue
		}
		findings = append(findings, freeTextInDocument(data)...)
	}
	return findings
}

func freeTextInDocument(document []byte) (findings []string) {
	decoder := jsontext.NewDecoder(bytes.NewReader(document), jsontext.AllowDuplicateNames(true))
	for {
		token, err := decoder.ReadToken()
		if errors.Is(err, io.EOF) {
			return findings
		}
		if err != nil {
			return append(findings, err.Error())
		}
		path := strings.Split(string(decoder.StackPointer()), "/")
		if token.Kind() == '0' && slices.ContainsFunc(path, func(name string) bool { return numberContainers[name] }) && strings.Trim(token.String(), "-+.eE01") != "" {
			findings = append(findings, token.String())
		}
		if token.Kind() != '"' {
			continue
		}
		text := token.String()
		kind, length := decoder.StackIndex(decoder.StackDepth())
		if kind == '{' && length%2 == 1 {
			if !keptNames[text] && !identifier.MatchString(text) {
				findings = append(findings, text)
			}
			continue
		}
		key := ""
		for _, part := range path {
			if strings.Trim(part, "0123456789") != "" {
				key = strings.ReplaceAll(part, "~1", "/")
			}
		}
		known := filler.MatchString(text) || keptValues[key][text] || identifierKeys[key] && identifier.MatchString(text) ||
			modelKeys[key] && modelName.MatchString(text) || timeKeys[key] && timeOrDuration.MatchString(text)
		if !known {
			findings = append(findings, key+": "+text)
		}
	}
}

func TestFindsFreeText(t *testing.T) {
	for _, response := range []string{
		`{"choices":[{"message":{"content":"Hello there"}}]}`,
		`{"choices":[{"message":{"content":["Hello"]}}]}`,
		"data: {\"choices\":[]}\n\ndata: {\"error\":{\"message\":\"key sk-1234\"}}\n\n",
		": hello\n\n",
		`{"input":{"village":"xxxx"}}`,
		`{"id":"chatcmpl-1"}`,
		`{"model":"my secret model"}`,
		"event: hello\n\n",
		`{"data":[{"embedding":[0.25,-1]}]}`,
		`{"results":[{"category_scores":{"hate":2.5e-7}}]}`,
	} {
		if len(freeText([]byte(response))) == 0 {
			t.Errorf("nothing found in %s", response)
		}
	}
}

func TestNeutralKeepsShape(t *testing.T) {
	document := []byte(`{"id":"resp-1", "choices": [ {"message":{"content":"Hé \"ha\"\n\u00e9\ud83d\ude00 €😀","tool":{"a":1}},"finish_reason":"stop"}],` +
		`"input":{"city":"Paris","deep":{"x y":["z"]}},"model":"gpt-4o","usage":{"prompt_tokens":12}}`)
	want := []byte(`{"id":"??????", "choices": [ {"message":{"content":"xéx\"xx\"\n\u0078\ud83d\ude00x€😀","????":{"?":1}},"finish_reason":"stop"}],` +
		`"input":{"????":"xxxxx","????":{"???":["x"]}},"model":"gpt-4o","usage":{"prompt_tokens":12}}`)
	got := bytes.Clone(document)
	if err := neutralDocument(got, opaqueContainers); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("length is %d, want %d", len(got), len(want))
	}
	for i := range want {
		if want[i] != '?' && got[i] != want[i] || want[i] == '?' && !identifier.Match(got[i:i+1]) {
			t.Fatalf("differs from byte %d:\n%s\n%s", i, got, want)
		}
	}
}

func TestOriginalsGiveTheSame(t *testing.T) {
	const originals = "../../../../shared/fixtures"
	if _, err := os.Stat(originals); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the original recordings are not here")
	}
	folder := t.TempDir()
	if err := run(originals, folder); err != nil {
		t.Fatal(err)
	}
	want, got := os.DirFS(written), os.DirFS(folder)
	for _, pair := range [][2]fs.FS{{want, got}, {got, want}} {
		err := fs.WalkDir(pair[0], ".", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			a, err := fs.ReadFile(pair[0], path)
			if err != nil {
				return err
			}
			b, err := fs.ReadFile(pair[1], path)
			if err != nil {
				return err
			}
			if !bytes.Equal(a, b) {
				t.Errorf("%s differs", path)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
