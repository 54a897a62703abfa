use super::*;
use aws_sdk_ec2::operation::start_instances::StartInstancesError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;

const SENT: Request = Request::Mutation { passed_gate: true };

fn answer(code: Option<&str>, status: u16) -> SdkError<StartInstancesError, Response> {
    let mut metadata = ErrorMetadata::builder().message("what AWS said");
    if let Some(code) = code {
        metadata = metadata.code(code);
    }
    let mut response = Response::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
    response.headers_mut().insert("x-amzn-requestid", "req-1");
    SdkError::service_error(StartInstancesError::generic(metadata.build()), response)
}

fn class(error: &SdkError<StartInstancesError, Response>, request: Request) -> ErrorClass {
    classify("StartInstances", Some("i-1"), error, request).class
}

/// Every code of the error table, with the class for a mutation that was sent.
const TABLE: &[(ErrorClass, &[&str])] = &[
    (
        ErrorClass::Throttled,
        &[
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestThrottled",
            "RequestThrottledException",
            "TooManyRequestsException",
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "BandwidthLimitExceeded",
            "LimitExceededException",
            "SlowDown",
            "PriorRequestNotComplete",
            "EC2ThrottledException",
        ],
    ),
    (
        ErrorClass::Ambiguous,
        &[
            "RequestTimeout",
            "RequestTimeoutException",
            "InternalError",
            "InternalFailure",
            "ServiceUnavailable",
            "Unavailable",
            "HealthUnavailable",
        ],
    ),
    (
        ErrorClass::Transient,
        &[
            "ResourceContention",
            "ExpiredToken",
            "ExpiredTokenException",
            "RequestExpired",
        ],
    ),
    (
        ErrorClass::Capacity,
        &[
            "InsufficientInstanceCapacity",
            "InsufficientHostCapacity",
            "InsufficientReservedInstanceCapacity",
            "InsufficientAddressCapacity",
            "InsufficientVolumeCapacity",
            "InsufficientCapacity",
            "InsufficientCapacityOnHost",
            "InsufficientFreeAddressesInSubnet",
            "ReservationCapacityExceeded",
            "UnfulfillableCapacity",
            "Unsupported",
        ],
    ),
    (
        ErrorClass::Quota,
        &[
            "VcpuLimitExceeded",
            "InstanceLimitExceeded",
            "VolumeLimitExceeded",
            "MaxIOPSLimitExceeded",
            "TooManyTargets",
            "TooManyRegistrationsForTargetId",
            "NetworkInterfaceLimitExceeded",
            "TagLimitExceeded",
        ],
    ),
    (
        ErrorClass::InvalidState,
        &[
            "IncorrectInstanceState",
            "IncorrectState",
            "ScalingActivityInProgress",
            "ConcurrentTagAccess",
            "TransactionConflictException",
        ],
    ),
    (
        ErrorClass::Image,
        &[
            "InvalidAMIID.NotFound",
            "InvalidAMIID.Unavailable",
            "InvalidSnapshot.NotFound",
        ],
    ),
    (
        ErrorClass::NotAuthorised,
        &[
            "UnauthorizedOperation",
            "AccessDenied",
            "AccessDeniedException",
            "AuthFailure",
            "OptInRequired",
            "PendingVerification",
            "Blocked",
        ],
    ),
    (
        ErrorClass::Permanent,
        &[
            "OperationNotPermitted",
            "InvalidInstanceID.Malformed",
            "InvalidParameterValue",
            "InvalidParameterCombination",
            "InvalidLaunchTemplateId.NotFound",
            "InvalidLaunchTemplateId.VersionNotFound",
            "InvalidLaunchTemplateName.NotFoundException",
            "InvalidUserData.Malformed",
            "MissingParameter",
            "UnsupportedOperation",
            "SubscriptionRequiredException",
            "ACodeThatNobodyKnows",
        ],
    ),
    (
        ErrorClass::Token,
        &["IdempotentParameterMismatch", "IdempotentInstanceTerminated"],
    ),
    (
        ErrorClass::NotFound,
        &[
            "InvalidInstanceID.NotFound",
            "InvalidSubnetID.NotFound",
            "InvalidGroup.NotFound",
            "InvalidKeyPair.NotFound",
            "InvalidTarget",
            "TargetGroupNotFound",
            "TargetGroupNotFoundException",
            "ParameterNotFound",
        ],
    ),
];

#[test]
fn every_code_of_the_table_has_its_class() {
    for (expected, codes) in TABLE {
        for code in *codes {
            assert_eq!(class(&answer(Some(code), 400), SENT), *expected, "{code}");
        }
    }
}

#[test]
fn the_code_decides_even_when_the_answer_is_a_5xx() {
    for status in [500, 503] {
        assert_eq!(
            class(&answer(Some("InsufficientInstanceCapacity"), status), SENT),
            ErrorClass::Capacity
        );
        assert_eq!(
            class(&answer(Some("RequestLimitExceeded"), status), SENT),
            ErrorClass::Throttled
        );
        assert_eq!(
            class(&answer(Some("IncorrectInstanceState"), status), SENT),
            ErrorClass::InvalidState
        );
    }
}

#[test]
fn a_failure_in_passing_is_transient_for_a_read_and_ambiguous_for_a_mutation() {
    for status in [500, 502, 503, 504] {
        for code in [
            Some("InternalError"),
            Some("ServiceUnavailable"),
            Some("NobodyKnowsThis"),
            None,
        ] {
            assert_eq!(
                class(&answer(code, status), Request::Read),
                ErrorClass::Transient,
                "{code:?} {status}"
            );
            assert_eq!(
                class(&answer(code, status), SENT),
                ErrorClass::Ambiguous,
                "{code:?} {status}"
            );
        }
    }
}

#[test]
fn a_mutation_that_did_not_pass_the_gate_was_never_sent_whatever_went_wrong() {
    let held = Request::Mutation { passed_gate: false };
    assert_eq!(
        class(&SdkError::timeout_error("credentials hung"), held),
        ErrorClass::NeverSent
    );
    assert_eq!(
        class(&SdkError::construction_failure("no endpoint"), held),
        ErrorClass::NeverSent
    );
    let other = SdkError::dispatch_failure(ConnectorError::other("no credentials".into(), None));
    assert_eq!(class(&other, held), ErrorClass::NeverSent);
}

#[test]
fn a_lost_answer_to_a_mutation_is_ambiguous_and_a_connection_never_made_is_not() {
    let lost: Vec<SdkError<StartInstancesError, Response>> = vec![
        SdkError::timeout_error("operation timed out"),
        SdkError::dispatch_failure(ConnectorError::timeout("read timed out".into())),
        SdkError::dispatch_failure(ConnectorError::io(
            io::Error::from(io::ErrorKind::ConnectionReset).into(),
        )),
        SdkError::dispatch_failure(ConnectorError::other("unheard of".into(), None)),
        SdkError::response_error(
            "not XML",
            Response::new(StatusCode::try_from(200).unwrap(), SdkBody::empty()),
        ),
    ];
    for error in &lost {
        assert_eq!(class(error, SENT), ErrorClass::Ambiguous, "{error:?}");
        assert_eq!(class(error, Request::Read), ErrorClass::Transient, "{error:?}");
    }
    let never: Vec<SdkError<StartInstancesError, Response>> = vec![
        SdkError::dispatch_failure(ConnectorError::io("no such host".into()).never_connected()),
        SdkError::dispatch_failure(ConnectorError::timeout("connect timed out".into()).never_connected()),
        SdkError::dispatch_failure(ConnectorError::io(
            io::Error::from(io::ErrorKind::ConnectionRefused).into(),
        )),
        SdkError::dispatch_failure(ConnectorError::io(ResolveDnsError::new("no such host").into())),
    ];
    for error in &never {
        assert_eq!(class(error, SENT), ErrorClass::NeverSent, "{error:?}");
        assert_eq!(class(error, Request::Read), ErrorClass::Transient, "{error:?}");
    }
}

#[test]
fn an_interceptors_refusal_was_never_sent() {
    let refusal = HeldBack {
        why: "not a read".to_owned(),
    };
    let error = SdkError::dispatch_failure(ConnectorError::other(refusal.into(), None));
    assert_eq!(class(&error, Request::Read), ErrorClass::NeverSent);
}

#[test]
fn an_error_names_operation_object_code_and_request() {
    let error = classify(
        "StartInstances",
        Some("i-1"),
        &answer(Some("AuthFailure"), 401),
        SENT,
    );
    assert_eq!(
        error.to_string(),
        "StartInstances for i-1: AuthFailure: what AWS said (request req-1)"
    );
}

#[test]
fn the_whole_chain_of_causes_is_told_once_and_bounded() {
    let inner = io::Error::other("connection reset by peer");
    let error: SdkError<StartInstancesError, Response> =
        SdkError::dispatch_failure(ConnectorError::io(inner.into()));
    let told = classify("StartInstances", None, &error, SENT).message;
    assert_eq!(told, "dispatch failure: io error: connection reset by peer");
    let long: SdkError<StartInstancesError, Response> = SdkError::timeout_error("x".repeat(5_000));
    assert!(
        classify("StartInstances", None, &long, SENT)
            .message
            .chars()
            .count()
            <= MOST_MESSAGE_CHARS + 1
    );
}
