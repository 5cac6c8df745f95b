// SPDX-License-Identifier: GPL-2.0

#include <string.h>
#include "sip_rows.h"

#define REQUEST "OPTIONS sip:bob@example.net SIP/2.0\r\n"
#define RESPONSE "SIP/2.0 180 Ringing\r\n"
#define VIA "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1\r\n"
#define END "CSeq: 1 OPTIONS\r\n\r\n"

#define FINDS(name, message, call_id)                                                                                  \
	{                                                                                                              \
		.sentence = name, .text = message, .result = SIP_FOUND, .value = call_id                               \
	}
#define NONE(name, message)                                                                                            \
	{                                                                                                              \
		.sentence = name, .text = message, .result = SIP_NOT_THERE                                             \
	}
#define FAR(name, message)                                                                                             \
	{                                                                                                              \
		.sentence = name, .text = message, .result = SIP_TOO_FAR                                               \
	}
#define NO_SIP(name, message)                                                                                          \
	{                                                                                                              \
		.sentence = name, .text = message, .length = sizeof(message) - 1, .result = SIP_NOT_SIP                \
	}

const struct sip_row sip_rows[] = {
	/* The position of the header. */
	FINDS("a request", REQUEST VIA "Call-ID: a84b@example.com\r\n" END, "a84b@example.com"),
	FINDS("a response", RESPONSE VIA "Call-ID: a84b@example.com\r\n" END, "a84b@example.com"),
	FINDS("first of the headers", REQUEST "Call-ID: a84b\r\n" VIA END, "a84b"),
	FINDS("last of the headers", REQUEST VIA "CSeq: 1 OPTIONS\r\nCall-ID: a84b\r\n\r\n", "a84b"),
	FINDS("the only header", REQUEST "Call-ID: a84b\r\n\r\n", "a84b"),
	FINDS("the first of two counts", REQUEST "Call-ID: first\r\nCall-ID: second\r\n" END, "first"),
	FINDS("the first of two spellings counts", REQUEST "i: first\r\nCall-ID: second\r\n" END, "first"),
	FINDS("headers without an end", REQUEST "Call-ID: a84b\r\nCSeq: 1 OPT", "a84b"),
	FINDS("a line end of a CR only", REQUEST VIA "Call-ID: a84b\r", "a84b"),
	FINDS("CRLFs before the start-line", "\r\n\r\n" REQUEST "Call-ID: a84b\r\n" END, "a84b"),
	FINDS("a bare LF before the start-line", "\n" REQUEST "Call-ID: a84b\r\n" END, "a84b"),
	FINDS("an unknown method", "X-Foo!%*_+`'~.9 sip:bob@example.net SIP/2.0\r\nCall-ID: a84b\r\n" END, "a84b"),
	FINDS("a method of 31 letters",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcde sip:bob@example.net SIP/2.0\r\nCall-ID: a84b\r\n" END, "a84b"),
	/* The form of its name. */
	FINDS("call-id:", REQUEST VIA "call-id: a84b\r\n" END, "a84b"),
	FINDS("CALL-ID:", REQUEST VIA "CALL-ID: a84b\r\n" END, "a84b"),
	FINDS("Call-Id:", REQUEST VIA "Call-Id: a84b\r\n" END, "a84b"),
	FINDS("cAlL-iD:", REQUEST VIA "cAlL-iD: a84b\r\n" END, "a84b"),
	FINDS("i:", REQUEST VIA "i: a84b\r\n" END, "a84b"),
	FINDS("I:", REQUEST VIA "I: a84b\r\n" END, "a84b"),
	FINDS("a space before the colon", REQUEST VIA "Call-ID : a84b\r\n" END, "a84b"),
	FINDS("white space before the colon", REQUEST VIA "Call-ID\t \t  :a84b\r\n" END, "a84b"),
	FINDS("white space before the colon of the short name", REQUEST VIA "i\t  : a84b\r\n" END, "a84b"),
	FINDS("a message of bare LFs", "OPTIONS sip:bob@example.net SIP/2.0\nCSeq: 1 OPTIONS\nCall-ID: a84b\n\n",
		"a84b"),
	FINDS("a message of mixed line ends",
		"OPTIONS sip:bob@example.net SIP/2.0\r\nCSeq: 1 OPTIONS\nCall-ID: a84b\r\n\n", "a84b"),
	/* White space around the value. */
	FINDS("nothing after the colon", REQUEST VIA "Call-ID:a84b\r\n" END, "a84b"),
	FINDS("nothing after the colon of the short name", REQUEST VIA "i:a84b\r\n" END, "a84b"),
	FINDS("a tab after the colon", REQUEST VIA "Call-ID:\ta84b\r\n" END, "a84b"),
	FINDS("much white space after the colon",
		REQUEST VIA "Call-ID: \t                                       \ta84b\r\n" END, "a84b"),
	FINDS("a folded line", REQUEST VIA "Call-ID:\r\n a84b\r\n" END, "a84b"),
	FINDS("a folded line with more white space", REQUEST VIA "Call-ID : \t\r\n\t  a84b\r\n" END, "a84b"),
	FINDS("a folded line of bare LF", REQUEST VIA "Call-ID:\n a84b\n" END, "a84b"),
	FINDS("white space after the value", REQUEST VIA "Call-ID: a84b \t\r\n" END, "a84b"),
	FINDS("a bare LF after the value", REQUEST VIA "Call-ID: a84b\n" END, "a84b"),
	FINDS("a folded line after the value", REQUEST VIA "Call-ID: a84b\r\n \r\n" END, "a84b"),
	/* Values. */
	FINDS("a value of one letter", REQUEST VIA "Call-ID: a\r\n" END, "a"),
	FINDS("a value of eight letters", REQUEST VIA "Call-ID: abcdefgh\r\n" END, "abcdefgh"),
	FINDS("a value with every character of RFC 3261",
		REQUEST VIA "Call-ID: aZ9-.!%*_+`'~()<>:\\\"/[]?{}@aZ9-.!%*_+`'~()<>:\\\"/[]?{}\r\n" END,
		"aZ9-.!%*_+`'~()<>:\\\"/[]?{}@aZ9-.!%*_+`'~()<>:\\\"/[]?{}"),
	FINDS("a value with bytes that RFC 3261 does not allow",
		REQUEST VIA "Call-ID: \xc3\xbc\x8a\x8d\xff,;=&$|^#\r\n" END, "\xc3\xbc\x8a\x8d\xff,;=&$|^#"),
	FINDS("a value that looks like a header", REQUEST VIA "Call-ID: Call-ID:i:\r\n" END, "Call-ID:i:"),
	FINDS("a value of colons", REQUEST VIA "i::::\r\n" END, ":::"),
	/* Text that looks like a Call-ID header, but is not one. */
	FINDS("Identity is a different header", REQUEST "Identity: lure\r\nCall-ID: a84b\r\n" END, "a84b"),
	FINDS("In-Reply-To is a different header", REQUEST "In-Reply-To: lure\r\nCall-ID: a84b\r\n" END, "a84b"),
	FINDS("Info-Package is a different header", REQUEST "Info-Package: lure\r\nCall-ID: a84b\r\n" END, "a84b"),
	FINDS("ii is a different header", REQUEST "ii: lure\r\nCall-ID: a84b\r\n" END, "a84b"),
	FINDS("I-Am is a different header", REQUEST "I-Am: lure\r\nCall-ID: a84b\r\n" END, "a84b"),
	FINDS("Call-IDs is a different header", REQUEST "Call-IDs: lure\r\nCall-ID: a84b\r\n" END, "a84b"),
	FINDS("Call-ID-Was is a different header", REQUEST "Call-ID-Was: lure\r\nCall-ID: a84b\r\n" END, "a84b"),
	FINDS("Call-Info is a different header", REQUEST "Call-Info: lure\r\nCall-ID: a84b\r\n" END, "a84b"),
	FINDS("Content-ID is a different header", REQUEST "Content-ID: lure\r\nCall-ID: a84b\r\n" END, "a84b"),
	FINDS("Called-Party-ID is a different header", REQUEST "Called-Party-ID: lure\r\nCall-ID: a84b\r\n" END,
		"a84b"),
	FINDS("Callid is a different header", REQUEST "Callid: lure\r\nCall-ID: a84b\r\n" END, "a84b"),
	FINDS("Call_ID is a different header", REQUEST "Call_ID: lure\r\nCall-ID: a84b\r\n" END, "a84b"),
	FINDS("Call is a different header", REQUEST "Call: lure\r\nCall-ID: a84b\r\n" END, "a84b"),
	FINDS("X-Call-ID is a different header", REQUEST "X-Call-ID: lure\r\nCall-ID: a84b\r\n" END, "a84b"),
	FINDS("Xi is a different header", REQUEST "Xi: lure\r\nCall-ID: a84b\r\n" END, "a84b"),
	FINDS("a different header with a space before its colon", REQUEST "Identity : lure\r\nCall-ID: a84b\r\n" END,
		"a84b"),
	FINDS("a second line of a different header",
		REQUEST "Subject: much\r\n Call-ID: lure\r\n\ti: lure\r\nCall-ID: a84b\r\n" END, "a84b"),
	FINDS("a different header's value", REQUEST "Subject: Call-ID: lure i: lure\r\nCall-ID: a84b\r\n" END, "a84b"),
	FINDS("a bare CR ends no line", REQUEST "Subject: much\rCall-ID: lure\ri: lure\r\nCall-ID: a84b\r\n" END,
		"a84b"),
	FINDS("0x8a is not an LF",
		REQUEST "Subject: \x8a"
			"Call-ID: lure\x8ai: lure\r\nCall-ID: a84b\r\n" END,
		"a84b"),
	FINDS("0x8a and 0x8d end no headers", REQUEST "Subject: \x8a\x8a\x8d\x8a\r\nCall-ID: a84b\r\n" END, "a84b"),
	FINDS("an LF after 0x8a ends a line", REQUEST "Subject: \x81\x8a\nCall-ID: a84b\n\n", "a84b"),
	FINDS("the start-line is not a header", "i: sip:Call-ID: SIP/2.0\r\nCall-ID: a84b\r\n" END, "a84b"),
	FINDS("the reason phrase of a response", "SIP/2.0 400 Call-ID: lure\r\nCall-ID: a84b\r\n" END, "a84b"),
	/* No Call-ID. */
	NONE("headers end in CRLFCRLF", REQUEST VIA END "Call-ID: lure\r\n\r\n"),
	NONE("headers end in LFLF", REQUEST VIA "CSeq: 1 OPTIONS\n\nCall-ID: lure\n\n"),
	NONE("headers end in LFCRLF", REQUEST VIA "CSeq: 1 OPTIONS\n\r\nCall-ID: lure\r\n\r\n"),
	NONE("headers end in CRLFLF", REQUEST VIA "CSeq: 1 OPTIONS\r\n\nCall-ID: lure\r\n\r\n"),
	NONE("no headers", REQUEST "\r\nCall-ID: lure\r\n\r\n"),
	NONE("only different headers", REQUEST VIA "Identity: lure\r\n" END),
	NONE("an empty value", REQUEST VIA "Call-ID:\r\n" END),
	NONE("a value of white space", REQUEST VIA "Call-ID: \t \r\n" END),
	NONE("an empty value of the short name", REQUEST VIA "i:\r\n" END),
	NONE("an empty value of bare LF", REQUEST VIA "Call-ID: \nCSeq: 1 OPTIONS\n\n"),
	NONE("an empty value at the end of the headers", REQUEST VIA "CSeq: 1 OPTIONS\r\nCall-ID: \r\n\r\nbody"),
	NONE("an empty value at the end of a message without a body",
		REQUEST VIA "CSeq: 1 OPTIONS\r\nCall-ID: \r\n\r\n"),
	NONE("an empty value at the end of the headers, and a body that begins with a space",
		REQUEST VIA "CSeq: 1 OPTIONS\r\nCall-ID: \r\n\r\n lure\r\n"),
	NONE("an empty value at the end of headers of bare LF, and a body that begins with a tab",
		REQUEST "Call-ID:\n\n\tlure\n"),
	NONE("a name without a colon at the end of the headers, and a body that begins with one",
		REQUEST VIA "CSeq: 1 OPTIONS\r\nCall-ID\r\n\r\n: lure\r\n"),
	NONE("a name and a colon on different lines", REQUEST VIA "i\r\n: lure\r\n" END),
	/* The message ends before the value does. */
	FAR("in the headers", REQUEST VIA "CSeq: 1 OPT"),
	FAR("after a header", REQUEST VIA "CSeq: 1 OPTIONS\r\n"),
	FAR("in the start-line", "OPTIONS sip:somebody@somewhere.example.net SI"),
	FAR("in the name", REQUEST VIA "Call-I"),
	FAR("after the name", REQUEST VIA "Call-ID"),
	FAR("after the short name", REQUEST VIA "CSeq: 1 OPTIONS\r\ni"),
	FAR("after the colon", REQUEST VIA "Call-ID:"),
	FAR("after the white space", REQUEST VIA "Call-ID: \t"),
	FAR("in a folded line's end", REQUEST VIA "Call-ID:\r"),
	FAR("after a folded line's end", REQUEST VIA "Call-ID:\r\n"),
	FAR("in the value", REQUEST VIA "Call-ID: a84b"),
	/* Not SIP. */
	NO_SIP("nothing", ""),
	NO_SIP("a keepalive", "\r\n\r\n"),
	NO_SIP("too short to be a message", "BYE sip:a SIP/2.0\r\ni:1\r\n\r\n"),
	NO_SIP("line ends and nothing else", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
					     "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"),
	NO_SIP("a first word that is too long for a method",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij sip:bob@example.net "
		"SIP/2.0\r\nCall-ID: a84b\r\n\r\n"),
	NO_SIP("a first line of one word", "OPTIONS\r\nCall-ID: a84b\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n"),
	NO_SIP("a tab behind the first word", "OPTIONS\tsip:bob@example.net SIP/2.0\r\nCall-ID: a84b\r\n\r\n"),
	NO_SIP("a first word with a byte above 0x7f",
		"OPT\xcfONS sip:bob@example.net SIP/2.0\r\nCall-ID: a84b\r\n\r\n"),
	NO_SIP("a long first word with a byte above 0x7f",
		"\xcfPTIONSOPTIONS sip:bob@example.net SIP/2.0\r\nCall-ID: a84b\r\n\r\n"),
	NO_SIP("a first word with a NUL in it", "OPT\0ONS sip:bob@example.net SIP/2.0\r\nCall-ID: a84b\r\n\r\n"),
	NO_SIP("STUN", "\0\1\0\x20\x21\x12\xa4\x42"
		       "0123456789ab"
		       "\x80\x22\0\x1c"
		       "agent\r\nCall-ID: 1\r\nX: 23456\r\n\r\n"),
	NO_SIP("bytes of 0xff", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
				"\xff\xff\xff\xff\xff"
				"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
};

const size_t sip_row_count = sizeof(sip_rows) / sizeof(sip_rows[0]);

size_t sip_row_length(const struct sip_row *row)
{
	return row->length || row->result == SIP_NOT_SIP ? row->length : strlen(row->text);
}
