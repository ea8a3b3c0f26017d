from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0004_refunds_of_before")]

    operations = [
        migrations.AddConstraint(
            model_name='operation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'refund'), ('refund__isnull', False)), models.Q(models.Q(('kind', 'refund'), _negated=True), ('refund__isnull', True)), _connector='OR'), name='a_refund_operation_has_its_refund'),
        ),
    ]
