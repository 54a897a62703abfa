"""SSM's parameters and STS's identities."""

from case import case


@case
def a_parameter_is_written_read_overwritten_and_deleted(aws):
    first = aws.ssm.put_parameter(Name="/a/pause", Value="yes", Type="String")
    aws.equal(first["Version"], 1)
    found = aws.ssm.get_parameter(Name="/a/pause")["Parameter"]
    aws.equal((found["Value"], found["Type"], found["DataType"]), ("yes", "String", "text"))
    again = aws.ssm.put_parameter(Name="/a/pause", Value="no", Type="String", Overwrite=True)
    aws.equal(again["Version"], 2)
    aws.equal(aws.ssm.get_parameter(Name="/a/pause", WithDecryption=True)["Parameter"]["Value"], "no")
    aws.ssm.delete_parameter(Name="/a/pause")
    aws.refused("ParameterNotFound", aws.ssm.get_parameter, Name="/a/pause")


@case
def a_parameter_that_is_there_is_only_overwritten_when_told_to(aws):
    aws.ssm.put_parameter(Name="/a", Value="1", Type="String")
    aws.refused("ParameterAlreadyExists", aws.ssm.put_parameter, Name="/a", Value="2", Type="String")
    aws.equal(aws.ssm.get_parameter(Name="/a")["Parameter"]["Value"], "1")


@case
def parameters_that_are_not_there_are_named_as_invalid(aws):
    aws.ssm.put_parameter(Name="/b", Value="1", Type="String")
    found = aws.ssm.get_parameters(Names=["/b", "/c"])
    aws.equal([one["Name"] for one in found["Parameters"]], ["/b"])
    aws.equal(found["InvalidParameters"], ["/c"])


@case
def a_parameter_that_is_not_there_can_not_be_deleted(aws):
    aws.refused("ParameterNotFound", aws.ssm.delete_parameter, Name="/none")


@case
def no_more_than_ten_parameters_are_read_at_once(aws):
    names = [f"/n{n}" for n in range(11)]
    aws.invalid("ValidationException", "ssm", "get_parameters", Names=names)


@case
def parameters_are_read_by_their_path(aws):
    for name in ("/tis/a", "/tis/b", "/tis/deep/c", "/other"):
        aws.ssm.put_parameter(Name=name, Value="1", Type="String")
    found = aws.ssm.get_parameters_by_path(Path="/tis")["Parameters"]
    aws.equal(sorted(one["Name"] for one in found), ["/tis/a", "/tis/b"])
    found = aws.ssm.get_parameters_by_path(Path="/tis", Recursive=True)["Parameters"]
    aws.equal(sorted(one["Name"] for one in found), ["/tis/a", "/tis/b", "/tis/deep/c"])


@case
def parameters_are_described_without_their_values(aws):
    aws.ssm.put_parameter(Name="/tis/a", Value="1", Type="String", Description="first")
    found = aws.ssm.describe_parameters()["Parameters"]
    aws.equal([(one["Name"], one["Description"]) for one in found], [("/tis/a", "first")])


@case
def several_parameters_are_deleted_and_the_unknown_are_named(aws):
    aws.ssm.put_parameter(Name="/a", Value="1", Type="String")
    gone = aws.ssm.delete_parameters(Names=["/a", "/none"])
    aws.equal((gone["DeletedParameters"], gone["InvalidParameters"]), (["/a"], ["/none"]))


@case
def parameters_are_tagged(aws):
    aws.ssm.put_parameter(Name="/a", Value="1", Type="String")
    one = {"ResourceType": "Parameter", "ResourceId": "/a"}
    aws.ssm.add_tags_to_resource(**one, Tags=[{"Key": "Team", "Value": "tis"}, {"Key": "Stage", "Value": "prod"}])
    aws.ssm.remove_tags_from_resource(**one, TagKeys=["Stage"])
    aws.equal(aws.ssm.list_tags_for_resource(**one)["TagList"], [{"Key": "Team", "Value": "tis"}])


@case
def the_caller_learns_who_he_is(aws):
    who = aws.sts.get_caller_identity()
    aws.equal(who["Account"], "123456789012")


@case
def a_role_of_another_account_is_assumed(aws):
    role = "arn:aws:iam::111122223333:role/keepgreen"
    session = aws.sts.assume_role(RoleArn=role, RoleSessionName="night", DurationSeconds=900)
    aws.equal(session["AssumedRoleUser"]["Arn"], "arn:aws:sts::111122223333:assumed-role/keepgreen/night")
    keys = session["Credentials"]
    as_role = aws.as_key("sts", key=keys["AccessKeyId"], token=keys["SessionToken"])
    aws.equal(as_role.get_caller_identity()["Account"], "111122223333")
