package dialect

import (
	"bufio"
	"bytes"
	"mime"
	"net/textproto"
	"strings"
)

const (
	maxParts      = 256
	maxPartHeader = 4 << 10
)

// formPart is one field of a form, as places in a body.
type formPart struct {
	name string
	file bool // it was sent as a file, with a file's name
	// mediaType is the file's, as the caller calls it; empty if not said.
	mediaType string
	value     span
}

// scanForm finds the parts of a multipart/form-data body (RFC 7578, RFC 2046 section
// 5.1), in memory and without a copy. Like JSON, forms are read strictly: whatever
// two parsers could cut in two ways is refused.
func scanForm(boundary string, body []byte) (parts []formPart, problem *Error) {
	delimiter := []byte("\n--" + boundary)
	if !bytes.HasPrefix(body, delimiter[1:]) {
		return nil, invalidForm("must begin with its boundary")
	}
	for at := len(delimiter) - 1; ; {
		rest := body[at:]
		switch {
		case bytes.HasPrefix(rest, []byte("--")):
			if tail := rest[2:]; len(tail) != 0 && string(tail) != "\r\n" {
				return nil, invalidForm("goes on after its end")
			}
			return parts, nil
		case !bytes.HasPrefix(rest, []byte("\r\n")):
			return nil, invalidForm("has its boundary inside a value")
		case len(parts) == maxParts:
			return nil, invalidForm("has too many parts")
		}
		at += 2
		next := bytes.Index(body[at:], delimiter)
		if next < 1 || body[at+next-1] != '\r' {
			return nil, invalidForm("ends before its last boundary, or has one that is not on a line of its own")
		}
		part, problem := readPart(body, at, at+next-1)
		if problem != nil {
			return nil, problem
		}
		parts = append(parts, part)
		at += next + len(delimiter)
	}
}

// formBoundary reads how a form is cut out of its Content-Type, and returns the one that
// the provider is given: parsers differ in what they make of parameters that are there
// twice, or in the notation of RFC 2231.
func formBoundary(contentType string) (boundary, ours string, problem *Error) {
	mediaType, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || mediaType != "multipart/form-data" || !validBoundary(parameters["boundary"]) {
		return "", "", invalidForm("must be multipart/form-data with a boundary in its Content-Type")
	}
	boundary = parameters["boundary"]
	return boundary, mime.FormatMediaType(mediaType, map[string]string{"boundary": boundary}), nil
}

// readPart reads the part in body[start:end].
func readPart(body []byte, start, end int) (part formPart, problem *Error) {
	text := body[start:end]
	length := bytes.Index(text[:min(len(text), maxPartHeader)], []byte("\r\n\r\n"))
	if length < 0 {
		return part, invalidForm("has a part without header, or with too long a one")
	}
	// A line that ends in another way would end the header for some parsers.
	lines := bytes.Count(text[:length], []byte("\r\n"))
	if bytes.Count(text[:length], []byte("\n")) != lines || bytes.Count(text[:length], []byte("\r")) != lines ||
		bytes.Contains(text[:length], []byte("\n ")) || bytes.Contains(text[:length], []byte("\n\t")) {
		return part, invalidForm("has a part with a malformed header")
	}
	header, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(text[:length+4]))).ReadMIMEHeader()
	if err != nil || len(header["Content-Disposition"]) != 1 || len(header["Content-Type"]) > 1 {
		return part, invalidForm("has a part with a malformed header")
	}
	switch encoding := strings.ToLower(header.Get("Content-Transfer-Encoding")); encoding {
	case "", "binary", "8bit", "7bit":
	default:
		return part, invalidForm("has a part with a Content-Transfer-Encoding. Send parts as they are")
	}
	for name := range header {
		if strings.Contains(name, " ") { // left to the reader by net/textproto
			return part, invalidForm("has a part with a malformed header")
		}
	}
	disposition, parameters, err := mime.ParseMediaType(header.Get("Content-Disposition"))
	if err != nil || disposition != "form-data" || parameters["name"] == "" {
		return part, invalidForm("has a part without a name")
	}
	if part.name = parameters["name"]; !plainField(part.name) || !plainDisposition(header.Get("Content-Disposition")) {
		return part, invalidForm("has a part whose Content-Disposition can be read in two ways. Send its name and filename as plain texts between quotes, " +
			"without backslashes, and name* not at all (RFC 7578 section 4.2)")
	}
	_, part.file = parameters["filename"]
	if kind := header.Get("Content-Type"); kind != "" {
		if part.mediaType, _, err = mime.ParseMediaType(kind); err != nil {
			return part, invalidForm("has a part with a malformed Content-Type")
		}
	}
	part.value = span{start + length + 4, end}
	return part, nil
}

// plainField tells whether a field's name is one that all parsers read alike.
func plainField(name string) bool {
	for _, c := range []byte(name) {
		if !alphanumeric(c) && strings.IndexByte("_-.[]", c) < 0 {
			return false
		}
	}
	return true
}

// plainDisposition tells whether all parsers read a Content-Disposition alike. Some know
// no escapes, and some no name*=utf-8”x, which takes the place of name="y" for others:
// what is a file to the one, or x, would be the field y to the other. filename* beside
// filename does no harm, and .NET sends it.
func plainDisposition(value string) bool {
	if strings.Contains(value, `\`) {
		return false
	}
	outside := ""
	for i, piece := range strings.Split(value, `"`) {
		if i%2 == 0 {
			outside += strings.ToLower(piece)
		}
	}
	stars := strings.Count(outside, "*")
	return stars == 0 || stars == 1 && strings.Contains(outside, "filename*=") && strings.Contains(outside, "filename=")
}

// validBoundary tells whether a boundary is one (RFC 2046 section 5.1.1), without the
// spaces that are allowed and that no client sends.
func validBoundary(boundary string) bool {
	if boundary == "" || len(boundary) > 70 {
		return false
	}
	for _, c := range []byte(boundary) {
		if !alphanumeric(c) && strings.IndexByte("'()+_,-./:=?", c) < 0 {
			return false
		}
	}
	return true
}

func invalidForm(what string) *Error {
	return NewError(CodeInvalidRequest).WithMessage("The request body " + what + ".")
}
