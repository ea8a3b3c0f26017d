from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("resilience", "0016_pulse_questions")]

    operations = [
        migrations.AddField(
            model_name="subscriptionstate",
            name="lane",
            field=models.PositiveSmallIntegerField(db_default=0, default=0, help_text="from 0"),
        ),
        migrations.AddField(
            model_name="subscriptionstate",
            name="lanes",
            field=models.PositiveSmallIntegerField(db_default=1, default=1, help_text="of how many"),
        ),
        migrations.AddField(
            model_name="subscriptionstate",
            name="lanes_next",
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name="subscriptionstate",
            name="name",
            field=models.CharField(max_length=64),
        ),
        migrations.AddConstraint(
            model_name="subscriptionstate",
            constraint=models.UniqueConstraint(fields=("name", "lane"), name="a_subscription_has_a_lane_once"),
        ),
        migrations.AddConstraint(
            model_name="subscriptionstate",
            constraint=models.CheckConstraint(
                condition=models.Q(("lane__lt", models.F("lanes"))), name="a_lane_is_one_of_those_there_are"
            ),
        ),
        migrations.AddConstraint(
            model_name="subscriptionstate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("lanes_next", None), models.Q(("lane", 0), ("lanes_next__gte", 1)), _connector="OR"
                ),
                name="the_first_lane_says_how_many_are_to_be",
            ),
        ),
    ]
