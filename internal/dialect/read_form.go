package dialect

import (
	"strconv"
	"strings"
)

// readForm reads a form: images to be edited, or audio to be written down
// (openai-openapi, CreateImageEditRequest, CreateTranscriptionRequest).
func (r *Request) readForm(contentType string) *Error {
	boundary, ours, problem := formBoundary(contentType)
	if problem != nil {
		return problem
	}
	parts, problem := scanForm(boundary, r.body)
	if problem != nil {
		return problem
	}
	r.ContentType = ours
	seen := make(map[string]bool, len(parts))
	for _, part := range parts {
		// Some parsers make members of one field out of name[] and name[x].
		name, _, _ := strings.Cut(strings.ToLower(part.name), "[")
		read := fieldsRead[name]
		if read && (part.file || name != part.name) {
			return invalid(name, "must be a plain field of the form, with its name in small letters")
		}
		if part.file {
			if problem := r.readFile(part); problem != nil {
				return problem
			}
			continue
		}
		if r.Operation.read == readsAudioForm && audioFields[name] {
			return NewError(CodeUnsupported).WithParam(name).WithMessage(name + " as a plain field is not supported by this gateway: " +
				"what a transcription costs goes by the audio that is in the form. Send that as one file, named file, with a filename.")
		}
		if read && seen[name] {
			return NewError(CodeInvalidRequest).WithParam(name).WithMessage("The form has " + name + " twice. Send it once.")
		}
		seen[name] = seen[name] || read
		if problem := r.readFormField(part); problem != nil {
			return problem
		}
	}
	if r.Operation.read == readsImageForm {
		return r.imagesRead()
	}
	switch {
	case r.Model == "":
		return noModel()
	case r.AudioBytes == 0:
		return invalid("file", "is missing, or empty. Send the audio as a file of the form")
	}
	r.SSE = r.Stream
	return nil
}

// fieldsRead are the fields that say what a form costs.
var fieldsRead = map[string]bool{
	"model": true, "n": true, "size": true, "quality": true, "stream": true, "partial_images": true, "response_format": true,
}

// audioFields are the plain fields by which compatible providers take audio from
// elsewhere in place of the file, or beside it: url (Groq), file_url and file_id
// (Mistral); and the name of the file, which without a filename is a text to some parsers
// and a file to others.
var audioFields = map[string]bool{"file": true, "url": true, "file_url": true, "file_id": true}

// readFile notes what a file of the form can cost.
func (r *Request) readFile(part formPart) *Error {
	size := part.value.end - part.value.start
	switch {
	case r.Operation.read == readsImageForm:
		r.images++
		r.imageSize += size
	case part.name != "file" || r.AudioBytes > 0:
		return invalid(part.name, "is not a file that is expected. Send one file, named file")
	default:
		r.AudioBytes = int64(size)
		r.audio = part.value
	}
	return nil
}

func (r *Request) readFormField(part formPart) *Error {
	if !fieldsRead[part.name] {
		return nil // the prompt among others: nothing of it is copied
	}
	value := string(r.body[part.value.start:min(part.value.end, part.value.start+maxModelName+1)])
	var problem *Error
	switch part.name {
	case "model":
		if !ValidModelName(value) {
			return invalid("model", "must be a model's name: a string of 1 to 128 letters, digits and . _ : @ / -")
		}
		r.Model, r.places.model = value, part.value
	case "n":
		r.Images.Count, problem = formInteger(part.name, value, 1, maxImages)
	case "partial_images":
		r.Images.partial, problem = formInteger(part.name, value, 0, maxPartial)
	case "size":
		r.Images.Size, problem = formName(part.name, value)
	case "quality":
		r.Images.Quality, problem = formName(part.name, value)
	case "response_format":
		r.ResponseFormat, problem = formName(part.name, value)
	case "stream":
		switch value {
		case "true":
			r.Stream = true
		case "", "false":
		default:
			return invalid("stream", "must be true or false")
		}
	}
	return problem
}

func formInteger(name, value string, least, most int64) (int64, *Error) {
	number, err := strconv.ParseInt(value, 10, 64)
	if err != nil || number < least || number > most {
		return 0, invalid(name, "must be an integer from "+strconv.FormatInt(least, 10)+" to "+strconv.FormatInt(most, 10))
	}
	return number, nil
}

// formName reads a name that may have prices of its own.
func formName(name, value string) (string, *Error) {
	if !enumeration(value) {
		return "", invalid(name, "must be one of the names that the provider documents")
	}
	return value, nil
}
