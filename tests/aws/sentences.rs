//! Error messages about AWS, which must say what to do.

use std::net::TcpListener;

use crate::fake::{Fake, Verdict};
use crate::tool::{bare, run, tool};

const PUT: [&str; 3] = ["put", "--stream", "order"];

pub(crate) fn nothing_to_go_by() {
    run(bare(&PUT), b"x\n").expect(2, &["no AWS region is set; give --region REGION, or set AWS_REGION"]);
    let mut command = bare(&PUT);
    command.env("AWS_REGION", "eu-west-1");
    run(command, b"x\n").expect(2, &["no AWS credentials were found; set AWS_ACCESS_KEY_ID"]);
    let fake = Fake::new(|_, _| Verdict::Take);
    run(tool(&fake.url(), &["put", "--stream", "orders", "--aws-profile", "nobody"]), b"x\n")
        .expect(2, &["the profile `nobody`"]);
    assert!(fake.calls().is_empty());
}

pub(crate) fn refused() {
    for (status, code, message, says) in [
        (
            400,
            "AccessDeniedException",
            "User: arn:aws:iam::1:user/ann is not authorized to perform: kinesis:PutRecords on resource: arn:aws:kinesis:us-east-1:1:stream/order because no identity-based policy allows it",
            "denied: `arn:aws:iam::1:user/ann` may not `kinesis:PutRecords` on `arn:aws:kinesis:us-east-1:1:stream/order`; an IAM policy must allow that action",
        ),
        (
            400,
            "ExpiredTokenException",
            "The security token included in the request is expired",
            "the AWS credentials have expired; renew them (`aws sso login`",
        ),
        (
            400,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            "AWS does not accept the credentials",
        ),
        (400, "KMSAccessDeniedException", "no", "allow `kms:GenerateDataKey` for writing"),
        (
            400,
            "ValidationException",
            "Member must satisfy regular expression pattern",
            "PutRecords on `order` was refused (ValidationException): Member",
        ),
    ] {
        let fake = Fake::new(move |_, _| Verdict::Refuse(status, code, message));
        run(tool(&fake.url(), &PUT), b"x\n").expect(1, &[says]);
        assert_eq!(fake.calls().len(), 1, "{code} is not retried");
    }
}

pub(crate) fn no_such_stream() {
    let fake =
        Fake::new(|_, _| Verdict::Refuse(400, "ResourceNotFoundException", "Stream order under account 1 not found."));
    let says = format!("there is no stream `order` at {}, region us-east-1; did you mean `orders`?", fake.url());
    run(tool(&fake.url(), &PUT), b"x\n").expect(1, &[&says]);
}

pub(crate) fn unreachable() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("there is a free port").local_addr().expect("an address");
    let url = format!("http://{nobody}");
    let says = format!("PutRecords: Kinesis at {url}, region us-east-1 cannot be reached: ");
    let command = tool(&url, &[&PUT[..], &["--give-up", "100ms"]].concat());
    run(command, b"x\n").expect(1, &[&says, "check the endpoint, the region and the network"]);
}
