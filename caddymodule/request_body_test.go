package caddymodule

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/iotest"
)

func TestRequestBodyIsReadWholeWhateverItsLength(t *testing.T) {
	for _, size := range []int{0, 1, 4095, 4096, 4097, 32 << 10, 300 << 10, 3 << 20} {
		content := bytes.Repeat([]byte("faregate"), size/8+1)[:size]
		for _, declared := range []int64{-1, int64(size)} {
			body, err := readRequestBody(iotest.HalfReader(bytes.NewReader(content)), declared, 4<<20)
			if err != nil || !bytes.Equal(body.bytes, content) {
				t.Fatalf("size %d declared %d: %v", size, declared, err)
			}
			body.release()
		}
	}
}

func TestRequestBodyOverTheLimit(t *testing.T) {
	for _, declared := range []int64{-1, 11} {
		_, err := readRequestBody(bytes.NewReader(make([]byte, 11)), declared, 10)
		if !errors.Is(err, errBodyTooLarge) {
			t.Errorf("declared %d: %v", declared, err)
		}
	}
	limited := http.MaxBytesReader(nil, io.NopCloser(bytes.NewReader(make([]byte, 11))), 5)
	if _, err := readRequestBody(limited, -1, 100); !errors.Is(err, errBodyTooLarge) {
		t.Errorf("limited outside: %v", err)
	}
	broken := io.MultiReader(bytes.NewReader(make([]byte, 3)), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := readRequestBody(broken, 11, 100); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("broken off: %v", err)
	}
}

func TestRequestBodyIsWipedAfterItsLastReader(t *testing.T) {
	body, err := readRequestBody(bytes.NewReader([]byte("a prompt")), 8, 100)
	if err != nil {
		t.Fatal(err)
	}
	memory, edited := body.bytes, []byte("an edited prompt")
	body.keep(edited)
	reader := body.reader(edited)
	body.release()
	if string(memory) != "a prompt" || string(edited) != "an edited prompt" {
		t.Fatal("wiped while a reader was open")
	}
	if sent, err := io.ReadAll(reader); err != nil || string(sent) != "an edited prompt" {
		t.Fatalf("sent %q, %v", sent, err)
	}
	_ = reader.Close()
	_ = reader.Close() // net/http may close twice
	if !bytes.Equal(memory, make([]byte, 8)) || !bytes.Equal(edited, make([]byte, 16)) {
		t.Fatal("not wiped")
	}
}
