//go:build openjpeg

package pixel

/*
#cgo pkg-config: libopenjp2
#include <stdlib.h>
#include <string.h>
#include <openjpeg.h>

// bytes is a stream in memory; the library reads, skips and seeks by functions.
typedef struct { const OPJ_BYTE *data; OPJ_SIZE_T length, at; } bytes;

static OPJ_SIZE_T bytes_read(void *to, OPJ_SIZE_T n, void *of) {
	bytes *b = of;
	if (b->at >= b->length) return (OPJ_SIZE_T)-1;
	if (n > b->length - b->at) n = b->length - b->at;
	memcpy(to, b->data + b->at, n);
	b->at += n;
	return n;
}

static OPJ_OFF_T bytes_skip(OPJ_OFF_T n, void *of) {
	bytes *b = of;
	if (n < 0 || (OPJ_SIZE_T)n > b->length - b->at) { b->at = b->length; return -1; }
	b->at += n;
	return n;
}

static OPJ_BOOL bytes_seek(OPJ_OFF_T at, void *of) {
	bytes *b = of;
	if (at < 0 || (OPJ_SIZE_T)at > b->length) return OPJ_FALSE;
	b->at = at;
	return OPJ_TRUE;
}

// decode_j2k decodes a code stream of one component of columns x rows. The caller destroys the image; NULL where the
// stream is broken or of another size.
static opj_image_t *decode_j2k(const OPJ_BYTE *data, OPJ_SIZE_T length, OPJ_UINT32 columns, OPJ_UINT32 rows) {
	bytes in = { data, length, 0 };
	opj_dparameters_t parameters;
	opj_image_t *image = NULL;
	opj_stream_t *stream = opj_stream_create(length < 65536 ? length : 65536, OPJ_TRUE);
	opj_codec_t *codec = opj_create_decompress(OPJ_CODEC_J2K);
	int ok = 0;
	if (stream && codec) {
		opj_stream_set_user_data(stream, &in, NULL);
		opj_stream_set_user_data_length(stream, length);
		opj_stream_set_read_function(stream, bytes_read);
		opj_stream_set_skip_function(stream, bytes_skip);
		opj_stream_set_seek_function(stream, bytes_seek);
		opj_set_default_decoder_parameters(&parameters);
		ok = opj_setup_decoder(codec, &parameters) && opj_decoder_set_strict_mode(codec, OPJ_TRUE) &&
			opj_read_header(stream, codec, &image) && image->numcomps == 1 &&
			image->comps[0].w == columns && image->comps[0].h == rows &&
			opj_decode(codec, stream, image) && opj_end_decompress(codec, stream) &&
			image->comps[0].w == columns && image->comps[0].h == rows && image->comps[0].data;
	}
	if (codec) opj_destroy_codec(codec);
	if (stream) opj_stream_destroy(stream);
	if (!ok && image) { opj_image_destroy(image); image = NULL; }
	return image;
}
*/
import "C"

import (
	"unsafe"

	"mome/dicomweb"
)

// decodeJPEG2000 undoes JPEG 2000 and HTJ2K by OpenJPEG (2.5 or later). Colour is left alone: the library undoes the
// colour transform, too, and the header would go on naming it.
func (d *Decoder) decodeJPEG2000(l Layout, transferSyntax string, raw []byte) ([]byte, error) {
	if l.SamplesPerPixel != 1 {
		return nil, dicomweb.Errorf(dicomweb.UnsupportedMedia, "JPEG 2000 of %d samples per pixel is not decoded", l.SamplesPerPixel)
	}
	if err := checkSIZ(l, raw); err != nil {
		return nil, err
	}
	image := C.decode_j2k((*C.OPJ_BYTE)(unsafe.SliceData(raw)), C.OPJ_SIZE_T(len(raw)), C.OPJ_UINT32(l.Columns), C.OPJ_UINT32(l.Rows))
	if image == nil {
		return nil, dicomweb.Errorf(dicomweb.BadRequest, "JPEG 2000: the stream is broken")
	}
	defer C.opj_image_destroy(image)
	samples := unsafe.Slice((*int32)(unsafe.Pointer(image.comps.data)), l.Samples())
	size := l.BitsAllocated / 8
	d.native = blank(d.native, l.Bytes())
	for i, v := range samples {
		for b := range size {
			d.native[i*size+b] = byte(v >> (8 * b))
		}
	}
	return d.native, nil
}
