package dialect

import (
	"bytes"
	"io"
	"mime/multipart"
	"strings"
	"testing"
)

// written is a form as Go's own writer writes it.
func written(t testing.TB, fields [][2]string) (contentType string, body []byte) {
	t.Helper()
	var buffer bytes.Buffer
	w := multipart.NewWriter(&buffer)
	for _, field := range fields {
		var part io.Writer
		var err error
		if strings.HasPrefix(field[0], "file") {
			part, err = w.CreateFormFile(field[0], "name of.wav")
		} else {
			part, err = w.CreateFormField(field[0])
		}
		if err == nil {
			_, err = part.Write([]byte(field[1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), buffer.Bytes()
}

// scanned reads a form as ParseForm does.
func scanned(contentType string, body []byte) ([]formPart, *Error) {
	boundary, _, problem := formBoundary(contentType)
	if problem != nil {
		return nil, problem
	}
	return scanForm(boundary, body)
}

func TestFormsAreReadAsWritten(t *testing.T) {
	fields := [][2]string{{"model", "whisper-1"}, {"file", "RIFF\x00\r\n--\n--x\r\n\r\n"}, {"empty", ""}, {"file[]", "\r\n"}, {"prompt", "ä\r\n"}}
	contentType, body := written(t, fields)
	parts, problem := scanned(contentType, body)
	if problem != nil || len(parts) != len(fields) {
		t.Fatalf("%v, %+v", problem, parts)
	}
	for i, part := range parts {
		value := string(body[part.value.start:part.value.end])
		if part.name != fields[i][0] || value != fields[i][1] || part.file != strings.HasPrefix(part.name, "file") || part.file != (part.mediaType == "application/octet-stream") {
			t.Errorf("%+v %q", part, value)
		}
	}
}

func TestFormsThatCanBeCutInTwoWaysAreRefused(t *testing.T) {
	const form = "multipart/form-data; boundary=b"
	whole := "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nx\r\n--b--\r\n"
	if _, problem := scanned(form, []byte(whole)); problem != nil {
		t.Fatal(problem)
	}
	if _, problem := scanned(form, []byte(strings.TrimSuffix(whole, "\r\n"))); problem != nil {
		t.Error(problem)
	}
	for _, contentType := range []string{"", "application/json", "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"a b\"", "multipart/mixed; boundary=b",
		"multipart/form-data; boundary=" + strings.Repeat("b", 71), "multipart/form-data; boundary=b; boundary=c"} {
		if _, problem := scanned(contentType, []byte(whole)); problem == nil {
			t.Errorf("%q is taken", contentType)
		}
	}
	for name, body := range map[string]string{
		"nothing":              "",
		"cut":                  whole[:len(whole)-6],
		"preamble":             "x\r\n" + whole,
		"epilogue":             whole + "x",
		"line feeds":           strings.ReplaceAll(whole, "\r\n", "\n"),
		"padding":              strings.Replace(whole, "--b\r\n", "--b \r\n", 1),
		"boundary and more":    strings.Replace(whole, "x", "x\r\n--bc", 1),
		"line feed boundary":   strings.Replace(whole, "x", "x\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ny", 1),
		"no name":              strings.Replace(whole, `; name="model"`, "", 1),
		"empty name":           strings.Replace(whole, `"model"`, `""`, 1),
		"not form-data":        strings.Replace(whole, "form-data", "attachment", 1),
		"two dispositions":     strings.Replace(whole, "\r\n\r\n", "\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\n", 1),
		"encoded":              strings.Replace(whole, "\r\n\r\n", "\r\nContent-Transfer-Encoding: base64\r\n\r\n", 1),
		"extended name":        strings.Replace(whole, `name="model"`, `name="model"; name*=utf-8''x`, 1),
		"name in pieces":       strings.Replace(whole, `name="model"`, `name*0="x"; name="model"`, 1),
		"extended file name":   strings.Replace(whole, `name="model"`, `name="model"; filename*=utf-8''x`, 1),
		"hidden name":          strings.Replace(whole, `name="model"`, `name="x"; filename="\"; name=\"model"`, 1),
		"escape in a name":     strings.Replace(whole, `name="model"`, `name="mo\del"`, 1),
		"escaped in a name":    strings.Replace(whole, `name="model"`, `name="mo%64el"`, 1),
		"space in a name":      strings.Replace(whole, `name="model"`, `name="model "`, 1),
		"folded header":        strings.Replace(whole, `; name="model"`, ";\r\n name=\"model\"", 1),
		"space after a header": strings.Replace(whole, "\r\n\r\n", "\r\nContent-Disposition : form-data; name=\"prompt\"\r\n\r\n", 1),
		"two names":            strings.Replace(whole, `name="model"`, `name="model"; name="prompt"`, 1),
		"no header":            "--b\r\n\r\nx\r\n--b--\r\n",
		"malformed header":     strings.Replace(whole, "\r\n\r\n", "\r\n: x\r\n\r\n", 1),
		"long header":          strings.Replace(whole, "\r\n\r\n", "\r\nX: "+strings.Repeat("y", maxPartHeader)+"\r\n\r\n", 1),
		"too many":             strings.Repeat("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n", maxParts+1) + "--b--\r\n",
		"headers without end":  "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n--b--\r\n",
		"overlapping boundary": "--b\r\n--b--\r\n",
	} {
		if parts, problem := scanned(form, []byte(body)); problem == nil || problem.Status != 400 || strings.Contains(problem.Message, "model") {
			t.Errorf("%s: %v, %+v", name, problem, parts)
		}
	}
}

// What is taken is read by Go's own reader in the same way.
func FuzzFormAgreesWithMultipart(f *testing.F) {
	_, body := written(f, [][2]string{{"model", "a"}, {"file", "\r\n"}})
	boundary := string(body[2:bytes.IndexByte(body, '\r')])
	f.Add(boundary, body)
	f.Add("b", []byte("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nx\r\n--b--\r\n"))
	f.Fuzz(func(t *testing.T, boundary string, body []byte) {
		boundary, ours, problem := formBoundary("multipart/form-data; boundary=" + boundary)
		if problem != nil {
			return
		}
		if again, _, problem := formBoundary(ours); problem != nil || again != boundary {
			t.Fatalf("%q is told as %q", boundary, ours)
		}
		parts, problem := scanForm(boundary, body)
		if problem != nil {
			return
		}
		reader := multipart.NewReader(bytes.NewReader(body), boundary)
		for _, part := range parts {
			standard, err := reader.NextRawPart()
			if err != nil {
				t.Fatalf("%q: %v", body, err)
			}
			value, err := io.ReadAll(standard)
			if err != nil || standard.FormName() != part.name || !bytes.Equal(value, body[part.value.start:part.value.end]) {
				t.Fatalf("%q: %q is %q for others (%v)", body, body[part.value.start:part.value.end], value, err)
			}
		}
		if _, err := reader.NextRawPart(); err != io.EOF {
			t.Fatalf("%q: there is more for others: %v", body, err)
		}
	})
}

// .NET says a file's name twice, and names without quotes.
func TestFormsOfOtherWriters(t *testing.T) {
	body := "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=model\r\n\r\nwhisper-1\r\n" +
		"--b\r\nContent-Disposition: form-data; name=file; filename=a.wav; filename*=utf-8''a.wav\r\n\r\nx\r\n--b--\r\n"
	for _, contentType := range []string{"multipart/form-data; boundary=b", `multipart/form-data; boundary="b"`} {
		r, err := ParseForm(transcriptions, contentType, []byte(body))
		if err != nil || r.Model != "whisper-1" || r.AudioBytes != 1 {
			t.Errorf("%v, %+v", err, r)
		}
	}
}

// A provider's parser may differ from ours in every way that RFC 2231 and RFC 7578 leave
// open: it must be given one reading only of what was authorised.
func TestFormsHideNoSecondModel(t *testing.T) {
	field := func(disposition, value string) string {
		return "--b\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + value + "\r\n"
	}
	whole := field(`name="model"`, "whisper-1") + field(`name="file"; filename="a.wav"`, "x")
	for _, disposition := range []string{
		`name="model"`, `name="Model"`, `name="model[]"`, `name="model[0]"`, `name="model"; filename="x"`, `name="model"; filename*=utf-8''x`,
		`name="model"; name*=utf-8''language`, `name*=utf-8''language; name="model"`, `name="language"; filename="\"; name=\"model"`,
	} {
		if r, err := ParseForm(transcriptions, "multipart/form-data; boundary=b", []byte(whole+field(disposition, "gpt-4o-transcribe")+"--b--\r\n")); err == nil {
			t.Errorf("%s is taken: %+v", disposition, r)
		}
	}
	r, err := ParseForm(transcriptions, "multipart/form-data; boundary*=utf-8''b; boundary=c", []byte(whole+"--b--\r\n"))
	if err != nil || r.ContentType != "multipart/form-data; boundary=b" {
		t.Errorf("%v: the provider is told %q", err, r.ContentType)
	}
}
