//! The few words of HTTP/1.1 that scrapers, probes and `cargo kcl top` need.

/// The longest head of a request that is read.
pub(super) const LONGEST_HEAD: usize = 8 << 10;

/// A request, once its head has arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request<'a> {
    /// More of the head must arrive.
    Unfinished,
    Get {
        path: &'a str,
        /// Only the head of the response is wanted.
        is_head: bool,
    },
    /// Another method.
    Refused,
    /// It is not HTTP, or too long.
    Bad,
}

/// Reads the head of a request.
pub(super) fn request(head: &[u8]) -> Request<'_> {
    let Some(end) = memchr::memmem::find(head, b"\r\n\r\n").or_else(|| memchr::memmem::find(head, b"\n\n")) else {
        return if head.len() < LONGEST_HEAD { Request::Unfinished } else { Request::Bad };
    };
    let line = head[..end].split(|&byte| byte == b'\n').next().unwrap_or_default();
    let Ok(line) = std::str::from_utf8(line) else { return Request::Bad };
    match line.trim_end_matches('\r').split(' ').collect::<Vec<_>>()[..] {
        [method, target, version] if version.starts_with("HTTP/1.") && target.starts_with('/') => {
            let path = target.split('?').next().unwrap_or_default();
            match method {
                "GET" | "HEAD" => Request::Get { path, is_head: method == "HEAD" },
                _ => Request::Refused,
            }
        }
        _ => Request::Bad,
    }
}

/// A response.
#[derive(Debug)]
pub(super) struct Response {
    status: &'static str,
    content_type: &'static str,
    body: String,
}

impl Response {
    pub(super) fn text(status: &'static str, body: impl Into<String>) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: body.into() }
    }

    pub(super) fn prometheus(body: String) -> Self {
        Self { status: "200 OK", content_type: "text/plain; version=0.0.4; charset=utf-8", body }
    }

    pub(super) fn json(body: String) -> Self {
        Self { status: "200 OK", content_type: "application/json", body }
    }

    /// The bytes of the response, without the body if only the head is wanted.
    pub(super) fn into_bytes(self, is_head: bool) -> Vec<u8> {
        let Self { status, content_type, body } = self;
        let mut bytes = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nX-Content-Type-Options: \
             nosniff\r\nConnection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        if !is_head {
            bytes.extend_from_slice(body.as_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_its_first_line() {
        let get = |path| Request::Get { path, is_head: false };
        for (text, expected) in [
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", get("/metrics")),
            ("GET /metrics?name[]=x HTTP/1.0\n\n", get("/metrics")),
            ("HEAD / HTTP/1.1\r\n\r\n", Request::Head("/")),
            ("POST /metrics HTTP/1.1\r\n\r\n", Request::Refused),
            ("GET /metrics HTTP/1.1\r\n", Request::Unfinished),
            ("GET metrics HTTP/1.1\r\n\r\n", Request::Bad),
            ("GET /a b HTTP/1.1\r\n\r\n", Request::Bad),
            ("PRI * HTTP/2.0\r\n\r\n", Request::Bad),
            ("\r\n\r\n", Request::Bad),
            ("GET /\u{1b} HTTP/1.1\r\n\r\n", get("/\u{1b}")),
        ] {
            assert_eq!(request(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(request(&[b'x'; LONGEST_HEAD]), Request::Bad);
        assert_eq!(request(b"GET /\xff HTTP/1.1\r\n\r\n"), Request::Bad);
    }

    impl Request<'_> {
        #[expect(non_snake_case, reason = "it reads like the other variants")]
        fn Head(path: &str) -> Request<'_> {
            Request::Get { path, is_head: true }
        }
    }
}
