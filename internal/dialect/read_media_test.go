package dialect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestImageRequests(t *testing.T) {
	for body, want := range map[string]Images{
		`{"model":"gpt-image-1","prompt":"a cat"}`:                                             {Count: 1},
		`{"model":"dall-e-3","prompt":"x","n":null,"size":"1792x1024","quality":"hd"}`:         {Count: 1, Size: "1792x1024", Quality: "hd"},
		`{"model":"gpt-image-1","n":4,"stream":true,"partial_images":2,"size":"auto","x":[1]}`: {Count: 4, Size: "auto", partial: 2},
	} {
		r := mustParse(t, generateImages, body)
		if r.Images != want || r.OutputBound(77) != want.OutputBound() || r.CanCapOutput() || r.SSE != strings.Contains(body, "stream") {
			t.Errorf("%s: %+v", body, *r)
		}
	}
	for size, want := range map[string]int64{
		"": 6240, "auto": 6240, "1024x1024": 6240, "1536x1024": 6240, "2048x2048": 3 * 6240, "4096x4096": 11 * 6240, "0x0": 6240, "99999999x99999999": 6240 * 6357828649,
		"99999999999999999999x1": 6240,
	} {
		if bound := (Images{Count: 1, Size: size}).OutputBound(); bound != want {
			t.Errorf("%q: %d tokens", size, bound)
		}
	}
	if bound := (Images{Count: 3, partial: 2}).OutputBound(); bound != 3*(6240+200) {
		t.Errorf("%d tokens", bound)
	}
	for images, want := range map[Images]int64{
		{}: 0, {Count: 1}: 4160, {Count: 3, Quality: "auto", Size: "auto"}: 4160, {Count: 1, Quality: "low", Size: "1024x1024"}: 272,
		{Count: 1, Quality: "medium", Size: "1024x1536"}: 1584, {Count: 1, Quality: "high", Size: "1536x1024"}: 6240,
	} {
		if likely := images.Estimated(); likely != want || likely > max(images.OutputBound(), 0) {
			t.Errorf("%+v: %d tokens", images, likely)
		}
	}
	if likely := (Images{Count: 1, Size: "2147483647x2147483647"}).Estimated(); likely <= 0 {
		t.Errorf("%d tokens", likely)
	}
	for _, body := range []string{`{}`, `{"model":"a","n":11}`, `{"model":"a","n":0}`, `{"model":"a","size":"a b"}`, `{"model":"a","partial_images":4}`, `{"model":"a","N":1}`} {
		_ = refused(t, generateImages, "", body)
	}
}

func TestSpeechRequests(t *testing.T) {
	r := mustParse(t, speech, `{"model":"tts-1","input":"gr\u00fc\u00df dich, 世界","voice":"alloy"}`)
	if r.Characters != 13 || r.Stream || r.CanCapOutput() {
		t.Errorf("%+v", *r)
	}
	if r = mustParse(t, speech, `{"model":"a","input":"x","stream_format":"sse"}`); !r.SSE {
		t.Errorf("%+v", *r)
	}
	for _, body := range []string{`{"model":"a"}`, `{"model":"a","input":""}`, `{"input":"x"}`, `{"model":"a","input":["x"]}`, `{"model":"a","input":"` + strings.Repeat("x", maxSpeech+1) + `"}`} {
		_ = refused(t, speech, "", body)
	}
}

// wav is a file of one second.
func wav(format uint16, rate uint32) string { return wavOf(format, 1, rate, 2, 16) }

// wavOf is a file of one second by what its header says of a second's bytes.
func wavOf(format, channels uint16, rate uint32, block, bits uint16) string {
	b := []byte("RIFF\x00\x00\x00\x00WAVEJUNK\x01\x00\x00\x00x\x00fmt \x10\x00\x00\x00")
	b = binary.LittleEndian.AppendUint16(b, format)
	b = binary.LittleEndian.AppendUint16(b, channels)
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, rate*uint32(block))
	b = binary.LittleEndian.AppendUint16(b, block)
	b = binary.LittleEndian.AppendUint16(b, bits)
	return string(b) + "data" + strings.Repeat("\x00", int(rate)*int(block)-len(b)-4)
}

// A header whose numbers do not agree does not make audio cheaper: players go by the
// channels and the bits.
func TestAWAVHeaderMustAgreeWithItself(t *testing.T) {
	for _, row := range []struct {
		format, channels uint16
		block, bits      uint16
		taken            bool
	}{
		{1, 1, 1, 8, true}, {1, 2, 4, 16, true}, {1, 6, 18, 24, true}, {3, 1, 4, 32, true}, {3, 8, 64, 64, true},
		{1, 1, 64, 8, false}, {1, 1, 4, 16, false}, {1, 2, 2, 16, false}, {1, 0, 64, 8, false}, {1, 64, 64, 4, false}, {1, 1, 1, 12, false}, {1, 64, 64, 0, false},
		{1, 65535, 63, 8, false},
	} {
		length, ok := wavLength([]byte(wavOf(row.format, row.channels, 8000, row.block, row.bits)))
		if ok != row.taken || ok && length != time.Second {
			t.Errorf("%+v: %s, %t", row, length, ok)
		}
	}
}

func TestAudioForms(t *testing.T) {
	parse := func(operation Operation, fields ...[2]string) (*Request, error) {
		contentType, body := written(t, fields)
		return ParseForm(operation, contentType, body)
	}
	model := [2]string{"model", "whisper-1"}
	r, err := parse(transcriptions, [2]string{"file", wav(1, 16000)}, model, [2]string{"stream", "true"}, [2]string{"response_format", "verbose_json"}, [2]string{"include[]", "a"}, [2]string{"include[]", "b"})
	if err != nil || r.Model != "whisper-1" || !r.SSE || r.ResponseFormat != "verbose_json" || r.AudioBytes != 32000 || r.CanCapOutput() || r.ContentType == "" {
		t.Fatalf("%v %+v", err, r)
	}
	if r.AudioBound() != time.Second || r.EstimatedAudio() != time.Second {
		t.Errorf("%s, %s", r.AudioBound(), r.EstimatedAudio())
	}
	pieces, err := r.Body(Edit{Model: "whisper-large", OutputCap: 7, IncludeUsage: true})
	if err != nil {
		t.Fatal(err)
	}
	edited := bytes.Join(pieces, nil)
	again, err := ParseForm(transcriptions, r.ContentType, edited)
	if err != nil || again.Model != "whisper-large" || len(edited) != len(r.body)+len("whisper-large")-len("whisper-1") || again.AudioBytes != r.AudioBytes {
		t.Errorf("%v %+v", err, again)
	}
	// What cannot be told from its header may be as long as can be.
	for name, file := range map[string]string{"mp3": strings.Repeat("x", 7500), "cut": "RIFF\x00\x00\x00\x00WAVEfmt " + strings.Repeat("\xff", 7500-16), "compressed": wav(2, 3750), "at odds": wavOf(1, 1, 125, 60, 8)} {
		if r, err = parse(transcriptions, [2]string{"file", file}, model); err != nil || r.AudioBound() != 10*time.Second {
			t.Errorf("%s: %v %s", name, err, r.AudioBound())
		}
	}
	for name, fields := range map[string][][2]string{
		"no model": {{"file", "x"}}, "no file": {model}, "empty file": {model, {"file", ""}}, "two files": {model, {"file", "x"}, {"file", "y"}}, "other file": {model, {"files", "x"}},
		"two models": {model, model, {"file", "x"}}, "bad model": {{"model", "../x"}, {"file", "x"}}, "long model": {{"model", strings.Repeat("x", 129)}, {"file", "x"}},
		"stream": {model, {"stream", "yes"}, {"file", "x"}}, "format": {model, {"response_format", "a b"}, {"file", "x"}},
	} {
		if r, err := parse(translations, fields...); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// What is held for and charged is the audio of the form: no field beside the file may name
// other audio, in any spelling that a parser would take for it.
func TestAudioComesInTheFormOnly(t *testing.T) {
	contentType, body := written(t, [][2]string{{"model", "whisper-1"}, {"file", "RIFF"}})
	first, rest, _ := strings.Cut(string(body), "\r\n")
	with := func(field string) []byte {
		return []byte(first + "\r\nContent-Disposition: form-data; name=\"" + field + "\"\r\n\r\nhttps://example.com/hours.wav\r\n" + first + "\r\n" + rest)
	}
	for _, field := range []string{"file", "url", "file_url", "file_id", "URL", "File_Url", "file_id[]", "url[0]"} {
		for _, operation := range []Operation{transcriptions, translations} {
			_, err := ParseForm(operation, contentType, with(field))
			var problem *Error
			if !errors.As(err, &problem) || problem.Code != CodeUnsupported || problem.Status != 400 || problem.Param == "" || !strings.Contains(problem.Message, "Send that as one file, named file") {
				t.Errorf("%s, %s: %v", operation.Name, field, err)
			}
		}
	}
	for _, field := range []string{"prompt", "language", "file_format", "urls"} {
		if _, err := ParseForm(transcriptions, contentType, with(field)); err != nil {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := ParseForm(editImages, contentType, with("url")); err != nil {
		t.Errorf("images: %v", err)
	}
}

func TestImageForms(t *testing.T) {
	contentType, body := written(t, [][2]string{{"model", "gpt-image-1"}, {"file[]", "PNG"}, {"file[]", "PNG"}, {"n", "2"}, {"size", "1024x1024"}, {"quality", "high"}, {"partial_images", "1"}})
	r, err := ParseForm(editImages, contentType, body)
	if err != nil || r.Model != "gpt-image-1" || r.images != 2 || r.imageSize != 6 || r.Images != (Images{Count: 2, Size: "1024x1024", Quality: "high", partial: 1}) {
		t.Errorf("%v %+v", err, r)
	}
	for _, field := range [][2]string{{"n", "0"}, {"n", "2.0"}, {"partial_images", "x"}, {"size", "a b"}} {
		contentType, body := written(t, [][2]string{{"model", "gpt-image-1"}, field})
		if _, err := ParseForm(editImages, contentType, body); err == nil {
			t.Errorf("%v is taken", field)
		}
	}
}
