from typing import Any

from tests.services.iam.helpers import document, fails


def test_members_and_policies(iam: Any) -> None:
    assert iam.create_group(GroupName="devs")["Group"]["GroupId"].startswith("AGPA")
    iam.create_user(UserName="ann")
    iam.add_user_to_group(GroupName="devs", UserName="ann")
    iam.add_user_to_group(GroupName="devs", UserName="ann")
    assert [group["GroupName"] for group in iam.list_groups_for_user(UserName="ann")["Groups"]] == ["devs"]
    iam.put_group_policy(GroupName="devs", PolicyName="p", PolicyDocument=document())
    assert iam.list_group_policies(GroupName="devs")["PolicyNames"] == ["p"]
    fails(
        iam.delete_group,
        "DeleteConflict",
        "Cannot delete entity, must remove users from group first.",
        GroupName="devs",
    )
    fails(iam.delete_user, "DeleteConflict", UserName="ann")
    iam.remove_user_from_group(GroupName="devs", UserName="ann")
    fails(iam.delete_group, "DeleteConflict", "Cannot delete entity, must delete policies first.", GroupName="devs")
    iam.delete_group_policy(GroupName="devs", PolicyName="p")
    iam.delete_group(GroupName="devs")
    fails(iam.get_group, "NoSuchEntity", "The group with name devs cannot be found.", GroupName="devs")


def test_a_user_is_in_ten_groups_at_most(iam: Any) -> None:
    iam.create_user(UserName="ann")
    for number in range(11):
        iam.create_group(GroupName=f"g{number}")
    for number in range(10):
        iam.add_user_to_group(GroupName=f"g{number}", UserName="ann")
    fails(
        iam.add_user_to_group,
        "LimitExceeded",
        "Cannot exceed quota for GroupsPerUser: 10",
        GroupName="g10",
        UserName="ann",
    )
    iam.update_group(GroupName="g0", NewGroupName="renamed")
    assert len(iam.list_groups_for_user(UserName="ann")["Groups"]) == 10
